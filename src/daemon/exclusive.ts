// One change at a time: what is asked while another change is under way waits for its turn.
import { LimitError } from '../base/errors.ts'

/** Requests that may wait for their turn. */
export const WAITING_MAX = 1024

export class Exclusive {
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** @throws LimitError when WAITING_MAX wait already */
  run<T>(change: () => Promise<T> | T): Promise<T> {
    if (this.#waiting >= WAITING_MAX) {
      return Promise.reject(new LimitError(`${WAITING_MAX} changes wait already; try again later`))
    }
    this.#waiting += 1
    const turn = this.#last.then(change)
    this.#last = turn.catch(() => {}).finally(() => { this.#waiting -= 1 })
    return turn
  }
}
