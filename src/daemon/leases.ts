// Addresses in networks of the cluster, both sides of it: as a manager this node gives them, and
// for its own tasks it asks for them.
import type { Clock } from '../base/clock.ts'
import type { Core } from './core.ts'
import type { Exclusive } from './exclusive.ts'
import { LeaseDesk, REQUEST_WAIT_MS } from './lease-desk.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { Networks } from './networks.ts'

export class Leases {
  readonly desk: LeaseDesk
  readonly #keeper: LeaseKeeper

  constructor(core: Core, networks: Networks, changes: Exclusive, clock: Clock,
    requestWaitMs = REQUEST_WAIT_MS) {
    this.desk = new LeaseDesk(core, networks, changes, clock, requestWaitMs)
    this.#keeper = new LeaseKeeper({ clock, log: core.log, link: () => core.link,
      restMs: core.config.addresses.restSeconds * 1000 })
  }

  /** Rows have changed. */
  follow(): void {
    this.#keeper.follow()
    this.desk.follow()
  }

  close(): void {
    this.#keeper.close()
  }
}
