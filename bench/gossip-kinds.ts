// The members that are measured, and how each is started: HashiCorp's, our mesh alone, and all that
// a node of ours does in a cluster.
import { join } from 'node:path'
import { buildMemberlistPeer, goMember, ourMember } from '../native-tests/lib/gossip-process.ts'

export const KINDS = ['memberlist', 'mesh', 'cluster'] as const
export type Kind = typeof KINDS[number]

export type Seat = Readonly<{
  name: string
  host: string
  port: number
  /** In hex; '' leaves everything in the clear. */
  keys: string
  /** "HOST:PORT" of a member that is there, or '' for the first one. */
  seed: string
  /** Of this member alone; it finds it again when it is started again. */
  directory: string
}>

export type Starter = Readonly<{
  kind: Kind
  /** Whether it can tell all others something. */
  spreads: boolean
  /** Whether it joins by itself, and not by a command. */
  joins: boolean
  words: (seat: Seat) => string[]
}>

/** @param lifeSeconds after which a member ends whatever happens */
export async function starterOf(kind: Kind, lifeSeconds: number): Promise<Starter> {
  if (kind === 'memberlist') {
    const program = await buildMemberlistPeer()
    return {
      kind, spreads: true, joins: false,
      words: ({ host, keys, name, port }) =>
        goMember(program, { name, host, port, keys, compress: true, life: `${lifeSeconds}s` }),
    }
  }
  const life = { 'life-seconds': lifeSeconds }
  if (kind === 'mesh') {
    return {
      kind, spreads: false, joins: false,
      words: ({ host, keys, name, port }) => ourMember({ name, host, port, keys, ...life }),
    }
  }
  return {
    kind, spreads: true, joins: true,
    words: ({ directory, host, keys, name, port, seed }) => ourMember({
      name, host, port, keys, seeds: seed, store: join(directory, name), ...life,
    }, 'gossip-cluster-node'),
  }
}
