// What templates can call: Docker's own functions and those of Go's text/template that people use.
import { UsageError } from '../../../base/errors.ts'

export type TemplateFunction = (...values: unknown[]) => unknown

/** A key that a map does not have; Go prints it so. */
export const NO_VALUE = Symbol('no value')

/** The longest text that pad() and printf widths may make. */
const WIDTH_MAX = 1024

/** As Go prints a value: "[a b]" for a list, "map[k:v]" for a map. */
export function goText(value: unknown): string {
  if (value === NO_VALUE || value === undefined) return '<no value>'
  if (value === null) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`
  if (typeof value === 'object') {
    const entries = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)
    return `map[${entries.map(([key, inner]) => `${key}:${goText(inner)}`).join(' ')}]`
  }
  return String(value)
}

/** False, 0, "", null and what has no members. */
export function isEmpty(value: unknown): boolean {
  if (value === NO_VALUE || value === null || value === undefined) return true
  if (Array.isArray(value)) return value.length === 0
  if (typeof value === 'object') return Object.keys(value).length === 0
  return value === false || value === 0 || value === ''
}

export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  json: value => JSON.stringify(value === NO_VALUE || value === undefined ? null : value),
  join: (list, separator) => listOf('join', list).map(goText).join(goText(separator)),
  split: (value, separator) => goText(value).split(goText(separator)),
  lower: value => goText(value).toLowerCase(),
  upper: value => goText(value).toUpperCase(),
  title: value => goText(value).replaceAll(/(?<!\S)\S/gu, letter => letter.toUpperCase()),
  pad: (value, before, after) =>
    goText(value) === '' ? '' : blanks(before) + goText(value) + blanks(after),
  truncate: (value, length) => goText(value).slice(0, Math.max(0, Number(length))),
  print: (...values) => printed(values),
  println: (...values) => `${values.map(goText).join(' ')}\n`,
  printf: (format, ...values) => formatted(goText(format), values),
  len: value => typeof value === 'object' && value !== null
    ? Object.keys(value).length : goText(value).length,
  index: (value, ...keys) => keys.reduce(member, value),
  not: value => isEmpty(value),
  and: (...values) => values.find(isEmpty) ?? values.at(-1),
  or: (...values) => values.find(value => !isEmpty(value)) ?? values.at(-1),
  eq: (first, ...others) => others.some(other => other === first),
  ne: (a, b) => a !== b,
  lt: (a, b) => order('lt', a, b) < 0,
  le: (a, b) => order('le', a, b) <= 0,
  gt: (a, b) => order('gt', a, b) > 0,
  ge: (a, b) => order('ge', a, b) >= 0,
}

/** In the heading of a table these leave the name of the column as it is. */
export const HEADING_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  ...FUNCTIONS,
  ...Object.fromEntries(['json', 'join', 'split', 'lower', 'upper', 'title', 'pad', 'truncate']
    .map(name => [name, (value: unknown) => value])),
}

function listOf(name: string, value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  throw new UsageError(`${name} takes a list, not ${goText(value)}`)
}

function member(value: unknown, key: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    throw new UsageError(`index takes a list or a map, not ${goText(value)}`)
  }
  if (!Array.isArray(value)) {
    return Object.hasOwn(value, goText(key)) ? value[goText(key) as keyof typeof value] : ''
  }
  const at = Number(key)
  if (at in value) return value[at]
  throw new UsageError(`index ${goText(key)} is out of a list of ${value.length}`)
}

function order(name: string, a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  throw new UsageError(`${name} compares two numbers or two texts, not ${goText(a)} and ${
    goText(b)}`)
}

function blanks(count: unknown): string {
  return ' '.repeat(Math.min(WIDTH_MAX, Math.max(0, Number(count) || 0)))
}

/** Go's Sprint: a space between two values when neither is a text. */
function printed(values: readonly unknown[]): string {
  return values.reduce<string>((text, value, at) => {
    const isApart = at > 0 && typeof value !== 'string' && typeof values[at - 1] !== 'string'
    return text + (isApart ? ' ' : '') + goText(value)
  }, '')
}

function formatted(format: string, values: readonly unknown[]): string {
  let next = 0
  return format.replaceAll(/%(-?)(\d{0,4})([a-z%])/g, (verb, left, width, letter) => {
    if (letter === '%') return '%'
    if (next >= values.length) return `%!${letter}(MISSING)`
    const value = values[next++]
    const text = letter === 'q' ? JSON.stringify(goText(value))
      : 'svd'.includes(letter) ? goText(value) : undefined
    if (text === undefined) throw new UsageError(`printf knows %s, %v, %d and %q, not ${verb}`)
    const length = Math.min(WIDTH_MAX, Number(width))
    return left === '-' ? text.padEnd(length) : text.padStart(length)
  })
}
