// When a task of a service takes connections: a process has begun long before it listens.
import type { Clock } from '../base/clock.ts'
import type { PublishedPort } from '../cluster/services/rows.ts'
import { listens } from '../kernel/port-holders.ts'
import { processStart } from '../kernel/processes.ts'

/** One that does not listen by then is in service all the same. */
export const READY_WAIT_MS = 10_000
const READY_LOOK_MS = 50

/**
 * Settles when the process listens on all ports that are published for it, with TCP, or is gone; at
 * the latest after READY_WAIT_MS.
 */
export async function untilListening(pid: number | null, ports: readonly PublishedPort[],
  clock: Clock): Promise<void> {
  const targets = ports.filter(({ protocol }) => protocol === 'tcp').map(({ target }) => target)
  const untilMs = clock.nowMs() + READY_WAIT_MS
  while (pid !== null && clock.nowMs() < untilMs && processStart(pid) !== null
    && !targets.every(target => listens(pid, target))) {
    await new Promise(resolve => setTimeout(resolve, READY_LOOK_MS))
  }
}
