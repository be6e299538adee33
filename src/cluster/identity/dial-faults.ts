// What can go wrong with a call, in words: with which address, why, and what to do.
import { formatTarget, type Target } from './join-target.ts'
import { JoinError, type JoinFault, type Refusal } from './join-error.ts'

const NO_WAY = ['EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EHOSTDOWN', 'EADDRNOTAVAIL']
const NO_NAME = ['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME']

export class DialFaults {
  readonly #at: string
  readonly #host: string
  readonly #timeoutMs: number
  #first: unknown

  constructor(target: Target, timeoutMs: number) {
    this.#at = formatTarget(target)
    this.#host = target.host
    this.#timeoutMs = timeoutMs
  }

  /** What ended the connection; only the first matters. */
  note(error: unknown): void {
    this.#first ??= error
  }

  of(reason: Refusal | JoinFault, text: string): JoinError {
    return new JoinError(reason, text, { target: this.#at })
  }

  late(): JoinError {
    return this.of('no-answer', `${this.#at} does not answer within ${this.#timeoutMs / 1000} s; `
      + 'check the address, and that no firewall drops TCP to that port')
  }

  cancelled(): JoinError {
    return this.of('cancelled', `the call to ${this.#at} was cancelled`)
  }

  stranger(what: string): JoinError {
    return this.of('not-a-tapmesh', `${this.#at} answers, but is no member of a tapmesh cluster `
      + `(${what}); check address and port`)
  }

  /** The connection ended while something was expected of `member`. */
  silent(member: string): JoinError {
    if (this.#first instanceof JoinError) return this.#first
    return this.of('no-answer',
      `${member} ended the connection without an answer; its log says why`)
  }

  unclear(member: string): JoinError {
    return this.of('bad-answer', `${member} says what this tapmesh does not understand; run the `
      + 'same version everywhere')
  }

  /** There never was a TLS connection. */
  ofConnection(error: unknown): JoinError {
    if (error instanceof JoinError) return error
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    if (code === 'ECONNREFUSED') {
      return this.of('unreachable', `${this.#at} refuses connections: no member of a cluster `
        + 'listens there, or a firewall rejects it; check address and port')
    }
    if (code === 'ETIMEDOUT') return this.late()
    if (NO_WAY.includes(code)) {
      return this.of('unreachable', `there is no way to ${this.#at} (${code}); check the address `
        + 'and the routes of this machine')
    }
    if (NO_NAME.includes(code)) {
      return this.of('unreachable', `no address is known for "${this.#host}" (${code}); give an IP `
        + 'address')
    }
    if (code === 'ECONNRESET' || code === 'EPIPE') {
      return this.stranger('it ended the connection; a member that is too busy does so, too')
    }
    return this.stranger(code)
  }
}
