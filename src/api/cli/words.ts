// Words of the command line that carry a value: numbers, labels, networks. And the Example section
// of every help.
import type { Command } from 'commander'
import { UsageError } from '../../base/errors.ts'

/** The section "Example:" at the end of a command's help. */
export function addExample(command: Command, ...lines: string[]): void {
  command.addHelpText('after', `\nExample:\n${lines.map(line => `  ${line}`).join('\n')}\n`)
}

/** A parser for a whole number of option `option`, from `min` to `max`. */
export function wholeNumber(option: string, min: number, max: number): (text: string) => number {
  return text => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : -1
    if (value < min || value > max) {
      throw new UsageError(`${option} "${text}" is not a whole number from ${min} to ${max}`)
    }
    return value
  }
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A parser for option `option`: "500ms", "10s", "1m30s" -> milliseconds, `maxMs` at most. */
export function duration(option: string, maxMs: number): (text: string) => number {
  return text => {
    const isOne = /^(?:\d{1,9}(?:\.\d{1,3})?(?:ms|[smh]))+$/.test(text) || text === '0'
    const parts = [...text.matchAll(/([\d.]+)(ms|[smh])/g)]
    const ms = parts.reduce((sum, [, n, unit]) => sum + Number(n) * UNITS_MS[unit!]!, 0)
    if (isOne && ms <= maxMs) return Math.round(ms)
    throw new UsageError(`${option} "${text}" is not a time such as 500ms, 10s or 1m30s, `
      + `of ${maxMs / 3_600_000} hours at most`)
  }
}

/** The farthest back that "until=24h" goes: ten years. */
const AGE_MS_MAX = 10 * 365 * 24 * 3_600_000

/** "24h" (that long ago), "2026-01-02T03:04:05Z" or Unix seconds -> milliseconds since 1970 */
export function momentMs(text: string, nowMs: number): number {
  if (/^\d{9,11}$/.test(text)) return Number(text) * 1000
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(ms) ? nowMs - duration('until', AGE_MS_MAX)(text) : ms
}

/** For an option that may be given several times. */
export function collect(text: string, before: string[] | undefined): string[] {
  return [...before ?? [], text]
}

/** ["a=b", "c"] -> { a: "b", c: "" } */
export function labelsOf(words: string[]): Record<string, string> {
  return Object.fromEntries(words.map(word => {
    const at = word.indexOf('=')
    if (at === 0) throw new UsageError(`--label "${word}" has no key: write KEY=VALUE`)
    return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)]
  }))
}

/** "mynet,ip=10.0.1.8" -> { network: "mynet", address: "10.0.1.8" } */
export function networkOf(words: string): { network: string; address?: string } {
  const [network = '', ...options] = words.split(',')
  let address: string | undefined
  for (const option of options) {
    if (!option.startsWith('ip=') || address !== undefined) {
      throw new UsageError(`--network "${words}": write NETWORK or NETWORK,ip=ADDRESS`)
    }
    address = option.slice('ip='.length)
  }
  return address === undefined ? { network } : { network, address }
}

/** "KEY=VALUE" as it is; "KEY" takes the value that this process has, or is left out. */
export function environmentOf(words: string[]): string[] {
  return words.flatMap(word => {
    if (word.includes('=')) return [word]
    const value = process.env[word]
    return value === undefined ? [] : [`${word}=${value}`]
  })
}
