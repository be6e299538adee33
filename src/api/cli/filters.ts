// Filters that several lists have, and labels in the words of listings.
import type { Filter } from './listing.ts'

type Labels = Readonly<Record<string, string>>

/** The whole text. */
export function exactly<T>(of: (thing: T) => string, values?: readonly string[]): Filter<T> {
  const passes = (thing: T, value: string): boolean => of(thing) === value
  return values === undefined ? { passes } : { passes, values }
}

/** The beginning of one of the texts, as ids are given. */
export function beginning<T>(...of: readonly ((thing: T) => string)[]): Filter<T> {
  return { passes: (thing, value) => of.some(text => text(thing).startsWith(value)) }
}

/** Any part of the text. */
export function part<T>(of: (thing: T) => string): Filter<T> {
  return { passes: (thing, value) => of(thing).includes(value) }
}

/** "KEY" or "KEY=VALUE"; of several all must be there. */
export function labelled<T>(of: (thing: T) => Labels): Filter<T> {
  return { passes: (thing, value) => hasLabel(of(thing), value), all: true }
}

export function hasLabel(labels: Labels, wanted: string): boolean {
  const at = wanted.indexOf('=')
  if (at < 0) return Object.hasOwn(labels, wanted)
  const key = wanted.slice(0, at)
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1)
}

/** "a=b,c=" */
export function labelsText(labels: Labels): string {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(',')
}
