// Whoever watches the cluster is told of every change, one after the other. One that is too slow is
// cut off, so that nothing piles up.
import type { Clock } from '../base/clock.ts'
import type { ClusterEvent } from './cluster-host.ts'
import type { ClusterChangeView } from './cluster-views.ts'

/** Changes that a watcher may be behind. */
export const WATCH_BEHIND_MAX = 4096

type Watcher = { push(change: ClusterChangeView): void }

export class Watchers {
  readonly #clock: Clock
  readonly #watchers = new Set<Watcher>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  tell({ what, name, detail }: ClusterEvent): void {
    if (this.#watchers.size === 0) return
    const isMember = what === 'member' || what === 'tunnel'
    const change = {
      at: new Date(this.#clock.wallMs()).toISOString(),
      what: isMember ? 'member' as const : 'row' as const, change: what, name, detail,
    }
    for (const watcher of this.#watchers) watcher.push(change)
  }

  /** Changes from now on, until the signal fires. */
  async* watch(signal: AbortSignal): AsyncGenerator<ClusterChangeView> {
    const waiting: ClusterChangeView[] = []
    let wake = (): void => {}
    const watcher = { push: (change: ClusterChangeView) => (waiting.push(change), wake()) }
    const onAbort = (): void => wake()
    signal.addEventListener('abort', onAbort)
    this.#watchers.add(watcher)
    try {
      while (!signal.aborted && waiting.length <= WATCH_BEHIND_MAX) {
        while (waiting.length > 0) yield waiting.shift()!
        if (signal.aborted) return
        await new Promise<void>(resolve => (wake = resolve))
      }
    } finally {
      this.#watchers.delete(watcher)
      signal.removeEventListener('abort', onAbort)
    }
  }
}
