// One tree of errors. `code` is stable, `facts` are plain values for the log, the text is for
// people and says what went wrong, with which thing, and what to do.
import { getSystemErrorName } from 'node:util'

export type Facts = Readonly<Record<string, string | number | boolean | null | undefined>>

export class TapmeshError extends Error {
  readonly code: string
  readonly facts: Facts
  constructor(code: string, message: string, facts: Facts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.facts = facts
  }
}

/** The words of a command or request are wrong: exit 2 on the command line, 400 in the API. */
export class UsageError extends TapmeshError {
  constructor(message: string, facts?: Facts) {
    super('TM_USAGE', message, facts)
  }
}

/** The configuration file or a value in it cannot be used. */
export class ConfigError extends TapmeshError {
  constructor(message: string, facts?: Facts, cause?: unknown) {
    super('TM_CONFIG', message, facts, cause)
  }
}

/** The thing named is not there: 404 in the API. */
export class NotFoundError extends TapmeshError {
  constructor(message: string, facts?: Facts) {
    super('TM_NOT_FOUND', message, facts)
  }
}

/** The thing is there already, is in use, or stands against the request: 409 in the API. */
export class ConflictError extends TapmeshError {
  constructor(message: string, facts?: Facts) {
    super('TM_CONFLICT', message, facts)
  }
}

/** A limit with a name has been reached: 409 in the API. */
export class LimitError extends TapmeshError {
  constructor(message: string, facts?: Facts) {
    super('TM_LIMIT', message, facts)
  }
}

/** This machine lacks something that was asked for: a device, a privilege, a package. */
export class AbsentError extends TapmeshError {
  constructor(message: string, facts?: Facts, cause?: unknown) {
    super('TM_ABSENT', message, facts, cause)
  }
}

/** The kernel refused a call. `errno` is positive. */
export class KernelError extends TapmeshError {
  readonly syscall: string
  readonly errno: number
  readonly errnoName: string
  constructor(syscall: string, errno: number, facts: Facts = {}, hint = '') {
    const errnoName = getSystemErrorName(-errno)
    const what = Object.values(facts).filter(v => v !== undefined && v !== null).join(' ')
    const text = `${syscall}${what === '' ? '' : ` (${what})`}: ${errnoName}`
    super('TM_KERNEL', hint === '' ? text : `${text}; ${hint}`, { ...facts, errno: errnoName })
    this.syscall = syscall
    this.errno = errno
    this.errnoName = errnoName
  }
}

/** The daemon does not answer or answers what is not understood. */
export class ApiError extends TapmeshError {
  constructor(message: string, facts?: Facts, cause?: unknown) {
    super('TM_API', message, facts, cause)
  }
}
