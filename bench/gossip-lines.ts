// How a member of the mesh that runs as a process is driven: lines of JSON, commands on its stdin,
// events on its stdout. The Go program native-tests/lib/memberlist-peer does the same.
import { createInterface } from 'node:readline'

/** A line of stdin. */
export type GossipCommand = Readonly<{
  do: 'join' | 'leave' | 'send' | 'spread' | 'meta' | 'keys' | 'members' | 'counters'
  /** "HOST:PORT" of members, to join. */
  seeds?: readonly string[]
  /** Name of the member to send to. */
  to?: string
  text?: string
  /** Instead of a text. */
  hex?: string
  reliable?: boolean
  /** Keys in hex: the one that seals, and all that open. */
  primary?: string
  all?: readonly string[]
}>

/** A line of stdout. `atUs` is the wall clock in microseconds. */
export type GossipEvent = Readonly<{ event: string; atUs: number; [fact: string]: unknown }>

/** memberlist does not say whether somebody that is gone has left or is dead. */
export type MemberState = 'alive' | 'suspect' | 'dead' | 'left' | 'gone'
export type MemberFacts = Readonly<{
  name: string
  address: string
  state: MemberState
  meta: string
}>

/** What precedes the text of a `spread` command in the `user` events that it leads to. */
export const SPREAD_MARK = '*'
/** Exit code when a member's life is over. */
const OUTLIVED = 3

export function nowUs(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000)
}

export function tell(event: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(`${JSON.stringify({ event, atUs: nowUs(), ...facts })}\n`)
}

/** Answers a command; `fromUs` is when it was read. */
export function tellDone(command: string, error = '', fromUs = nowUs()): void {
  tell('done', { do: command, error, fromUs })
}

/**
 * Reads commands until there are no more, or `lifeSeconds` are over; then the process ends.
 * @param obey answers whether the command is done; else it tells that later itself
 */
export function obeyLines(lifeSeconds: number, obey: (command: GossipCommand) => boolean): void {
  setTimeout(() => process.exit(OUTLIVED), lifeSeconds * 1000)
  process.stdout.on('error', () => process.exit(1))
  createInterface({ input: process.stdin })
    .on('line', line => {
      const fromUs = nowUs()
      const command = JSON.parse(line) as GossipCommand
      try {
        if (obey(command)) tellDone(command.do, '', fromUs)
      } catch (error) {
        tellDone(command.do, String(error), fromUs)
      }
    })
    .on('close', () => process.exit(0))
}
