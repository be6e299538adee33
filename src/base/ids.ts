// Identifiers: tasks have 64 hex digits, as containers do; networks have 25 digits of base 36, as
// Swarm's objects do.
import { randomBytes } from 'node:crypto'
import { ConflictError, NotFoundError } from './errors.ts'

export const HOSTNAME_DIGITS = 12

export function makeTaskId(): string {
  return randomBytes(32).toString('hex')
}

export function makeObjectId(): string {
  const digits = BigInt(`0x${randomBytes(17).toString('hex')}`).toString(36)
  return digits.padStart(25, '0').slice(-25)
}

/**
 * The one thing that `which` names: by name, whole id, or an id prefix that fits no other.
 * @param kind for the error's text: "network"
 */
export function findNamed<T extends { id: string; name: string }>(kind: string, things: Iterable<T>,
  which: string): T {
  const all = [...things]
  const exact = all.find(thing => thing.name === which) ?? all.find(thing => thing.id === which)
  if (exact !== undefined) return exact
  const matches = which === '' ? [] : all.filter(thing => thing.id.startsWith(which))
  if (matches.length === 1) return matches[0]!
  if (matches.length > 1) {
    throw new ConflictError(`"${which}" is the beginning of ${matches.length} ${kind} ids; `
      + 'give more digits', { which })
  }
  throw new NotFoundError(`there is no ${kind} "${which}"`, { which })
}
