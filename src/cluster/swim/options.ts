// How a membership machine is made.
import { assert } from '../../base/assert.ts'
import type { Random32 } from '../../base/prng.ts'
import { addressOctets as octetsOfText } from '../../wire/memberlist/address.ts'
import { META_OCTETS_MAX } from '../../wire/memberlist/fields.ts'
import type { ProtocolVersions } from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { Awareness } from './awareness.ts'
import { PROTOCOL_VERSIONS } from './claims.ts'
import type { BootOf } from './contests.ts'
import { SWIM_COUNTERS, zeroCounters, type SwimContext } from './context.ts'
import { GossipQueue } from './gossip-queue.ts'
import { MemberTable, type Member } from './members.ts'
import { Timers } from './timers.ts'
import { LAN_TIMINGS, type SwimTimings } from './timings.ts'

export type SwimOptions = Readonly<{
  nowMs: number
  random: Random32
  /** Unique in the cluster. */
  name: string
  address: MeshAddress
  /** Higher than that of any earlier run under this name: seconds of the boot. */
  incarnation: number
  /** At most 512 octets, of the program above. */
  meta: Uint8Array
  /** Room for messages in one datagram, sealing taken off. */
  packetOctetsMax: number
  versions?: ProtocolVersions
  timings?: SwimTimings
  membersMax?: number
  /** When a node was started, by its metadata; any unit. Its incarnation when not given. */
  bootOf?: BootOf
}>

/** What all parts share at the start: a cluster of one. */
export function makeContext(options: SwimOptions): SwimContext {
  const { address, incarnation, meta, name, nowMs, random } = options
  const addressOctets = octetsOfText(address.host)
  assert(addressOctets !== null, 'the address of a member is an address')
  assert(meta.length <= META_OCTETS_MAX, 'metadata that memberlist can carry')
  const timings = options.timings ?? LAN_TIMINGS
  const self: Member = {
    name, address, addressOctets, meta,
    versions: options.versions ?? PROTOCOL_VERSIONS, incarnation, state: 'alive',
    stateSinceMs: nowMs, heardMs: nowMs, roundTripMs: null,
  }
  return {
    nowMs, phase: 'member', timings, random, self,
    counters: zeroCounters(SWIM_COUNTERS),
    members: new MemberTable(self, random, options.membersMax),
    awareness: new Awareness(timings.awarenessMax),
    queue: new GossipQueue(),
    timers: new Timers(),
    effects: [],
  }
}
