// One change at a time: what is asked while another change is under way waits for its turn. What a
// change waits for must not itself wait for a turn, or both wait for ever.
import { LimitError, TapmeshError } from '../base/errors.ts'

/** Requests that may wait for their turn. */
export const WAITING_MAX = 1024

export class Exclusive {
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #closed = false

  /** @throws LimitError when WAITING_MAX wait already, TapmeshError TM_STOPPING after close() */
  run<T>(change: () => Promise<T> | T): Promise<T> {
    if (this.#waiting >= WAITING_MAX) {
      return Promise.reject(new LimitError(`${WAITING_MAX} changes wait already; try again later`))
    }
    return this.runSurely(change)
  }

  /**
   * For what has happened already and cannot be refused; who calls it bounds how often.
   * @throws TapmeshError TM_STOPPING after close()
   */
  runSurely<T>(change: () => Promise<T> | T): Promise<T> {
    if (this.#closed) return Promise.reject(stoppingError())
    this.#waiting += 1
    const turn = this.#last.then(change)
    this.#last = turn.catch(() => {}).finally(() => { this.#waiting -= 1 })
    return turn
  }

  /** The last change of all; those that wait already come before it. */
  close<T>(change: () => Promise<T> | T): Promise<T> {
    const turn = this.runSurely(change)
    this.#closed = true
    return turn
  }

  get isClosed(): boolean {
    return this.#closed
  }
}

function stoppingError(): TapmeshError {
  return new TapmeshError('TM_STOPPING', 'the daemon is stopping')
}
