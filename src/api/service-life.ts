// The daemon's words to the service manager that started it: ready, reloading, stopping, and again
// and again that it lives. Without a service manager nothing is said.
import type { Log } from '../base/log.ts'
import { NotifySocket } from '../kernel/notify-socket.ts'

export class ServiceLife {
  readonly #log: Log
  readonly #socket: NotifySocket | null
  #timer: NodeJS.Timeout | undefined

  constructor(log: Log, env: Record<string, string | undefined> = process.env) {
    this.#log = log
    this.#socket = NotifySocket.find(env)
  }

  /**
   * From now on a sign of life is given twice in each interval of the watchdog, each time when
   * `daemon` has answered for all of itself. One that hangs falls silent, and is started anew.
   */
  ready(daemon: { alive(): Promise<void> }): void {
    this.tell('READY=1')
    const everyMs = (this.#socket?.watchdogMs ?? 0) / 2
    if (everyMs === 0) return
    this.#timer = setInterval(() => {
      daemon.alive().then(() => this.tell('WATCHDOG=1'),
        error => this.#log.error({ err: error }, 'no sign of life for the watchdog'))
    }, everyMs)
  }

  stopping(): void {
    clearInterval(this.#timer)
    this.tell('STOPPING=1')
  }

  /** That it is not heard is no reason to end: who watches over us will decide. */
  tell(word: string): void {
    try {
      this.#socket?.tell(word)
    } catch (error) {
      this.#log.warn({ err: error, word }, 'the service manager was not told')
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#socket?.close()
  }
}
