// What the cluster needs of the daemon that it lives in.
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { DeskOptions } from '../cluster/identity/desk-options.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { Core } from './core.ts'
import type { Exclusive } from './exclusive.ts'
import type { Networks } from './networks.ts'
import type { SharedNetworks } from './shared-networks.ts'

export type ClusterEvent = Readonly<{ what: string; name: string; detail: unknown }>

export type ClusterHost = Readonly<{
  core: Core
  networks: Networks
  shared: SharedNetworks
  /** Changes of this node's own things, one after the other. */
  changes: Exclusive
  clock: Clock
  log: Log
  version: string
  /** Have the tunnels begin at an address or device of this machine; a change, said in its turn. */
  advertise: (wanted: string) => Promise<void>
  /** Called when rows have changed, after networks, addresses and the packet path followed them. */
  followers: ((cluster: ClusterLink) => void)[]
  /**
   * A message about tasks that are about to stop has come.
   * @param from id of the node at whose address it began, null where there is none
   */
  onDrain: (cluster: ClusterLink, from: string | null, octets: Uint8Array) => void
  /** Called before this node leaves its cluster, and when it starts in none. */
  leavers: (() => Promise<void>)[]
  /** A piece of the output of a task of a service; null: there is no such task here. */
  readLog: NonNullable<DeskOptions['readLog']>
  /** To whoever watches. */
  tell: (event: ClusterEvent) => void
}>
