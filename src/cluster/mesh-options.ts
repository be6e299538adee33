// How a member of the mesh is made.
import type { Random32 } from '../base/prng.ts'
import type { ProtocolVersions } from '../wire/memberlist/messages.ts'
import type { MeshAddress } from './mesh-address.ts'
import type { MeshKeys } from './mesh-events.ts'
import type { RandomOctets } from './mesh-seal.ts'
import type { BootOf } from './swim/contests.ts'
import type { MemberView } from './swim/members.ts'
import type { SwimTimings } from './swim/timings.ts'
import type { KeepAliveTimings } from './tunnel-peer.ts'

export type MeshOptions = Readonly<{
  nowMs: number
  random: Random32
  /** For nonces: not to be foretold. */
  randomOctets: RandomOctets
  name: string
  address: MeshAddress
  /** Seconds of the boot, higher than those of any boot before. */
  epoch: number
  meta: Uint8Array
  /** Which mesh: '' for none, 255 octets at most. */
  label: string
  keys: MeshKeys
  versions?: ProtocolVersions
  timings?: SwimTimings
  keepAliveTimings?: KeepAliveTimings
  membersMax?: number
  bootOf?: BootOf
  /** Does this member understand keep-alives? All do when not given; other programs do not. */
  hasKeepAlive?: (member: MemberView) => boolean
}>
