// Members of the mesh in the words of the tables and of people.
import { ConflictError } from '../base/errors.ts'
import { formatMeshAddress, type MeshAddress } from '../cluster/mesh-address.ts'
import type { Mesh } from '../cluster/mesh.ts'
import type { MemberView } from '../cluster/swim/members.ts'
import type { Notice, Peer } from '../cluster/tables/events.ts'
import type { SeenMember } from './cluster-show.ts'
import { decodeMeta } from './node-meta.ts'

/** What of the tables is said in the log. */
export const NOTICES: Readonly<Record<Notice['what'], string>> = {
  stale: 'away for too long: the tables of others are fetched anew',
  removed: 'a manager has removed this node from the cluster',
  twin: 'another node runs with the id of this one',
  'epoch-raised': 'the clock went back: this node calls itself newer than it',
}

/** What to say when the mesh's port cannot be had. */
export function listenError(error: NodeJS.ErrnoException, address: MeshAddress): ConflictError {
  const place = formatMeshAddress(address)
  const hint = error.code === 'EADDRINUSE'
    ? 'another program has it; stop that one, or set mesh.port on all nodes' : 'see mesh.port'
  return new ConflictError(`gossip cannot listen on ${place} (UDP and TCP): `
    + `${error.code ?? error.message}; ${hint}`, { address: place })
}

/** Members that keep tables, as these want to know them. @param self left out */
export function tablePeers(mesh: Mesh, self: string): Peer[] {
  return mesh.swim.members().flatMap((member): Peer[] => {
    const meta = decodeMeta(member.meta)
    if (meta === null || member.name === self) return []
    const state = member.state === 'left' ? 'left' : member.state === 'dead' ? 'failed' : 'alive'
    return [{ name: member.name, node: meta.id, epoch: meta.epoch, state }]
  })
}

/** Id of the node of that name; null when it is no member, or no node of ours. */
export function memberId(mesh: Mesh, name: string | null): string | null {
  const member = name === null ? undefined : mesh.swim.member(name)
  return member === undefined ? null : decodeMeta(member.meta)?.id ?? null
}

export function wordOf(isEqual: boolean | null): SeenMember['tables'] {
  return isEqual === null ? 'unknown' : isEqual ? 'equal' : 'differ'
}

/** @param tunnelMs round trip of its keep-alives, which come more often than the mesh's probes */
export function seenMember(member: MemberView, nowMs: number, tunnelMs: number | null,
): Omit<SeenMember, 'reason' | 'doubtful' | 'tables'> {
  const meta = decodeMeta(member.meta)
  return {
    name: member.name, id: meta?.id ?? null, epoch: meta?.epoch ?? 0,
    address: formatMeshAddress(member.address), state: member.state,
    roundTripMs: tunnelMs ?? member.roundTripMs, pathMtuOctets: null,
    lastSeenMsAgo: Number.isFinite(member.heardMs) ? Math.max(0, nowMs - member.heardMs) : null,
  }
}
