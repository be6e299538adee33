// The report of bench/balance: rows, medians, one table, and what is kept of the last one.
import { type Balancer, BACKENDS, type Way } from './balancers.ts'
import type { Machine } from './machine.ts'
import { FOREIGN_CORES_MAX } from './quiet.ts'
import { type Figure, figureOf, measuredOn, ratioOf, tableOf } from './report.ts'

export type BalanceRow = 'connections' | 'p99' | 'failed' | 'share' | 'bulk'

type Row = Readonly<{
  key: BalanceRow
  title: string
  unit: string
  digits: number
  /** What --smoke accepts of who has two backends */
  sane: readonly [least: number, most: number]
  compared: boolean
}>

const EVEN_PERCENT = 100 / BACKENDS

const ROWS: readonly Row[] = [
  { key: 'connections', title: 'new connections', unit: '/s', digits: 0, sane: [200, 1e6],
    compared: true },
  { key: 'p99', title: '... p99 of the time of one', unit: 'us', digits: 0, sane: [10, 1e6],
    compared: true },
  { key: 'failed', title: '... failed', unit: '', digits: 0, sane: [0, 0], compared: false },
  { key: 'share', title: '... of the busier backend', unit: '%', digits: 1,
    sane: [EVEN_PERCENT, EVEN_PERCENT + 5], compared: false },
  { key: 'bulk', title: 'one stream', unit: 'Gbit/s', digits: 2, sane: [0.1, 400],
    compared: true },
]
const REFERENCES = ['nftables', 'haproxy']
const WAY_TITLES: Readonly<Record<Way, string>> = { vip: 'VIP', ingress: 'Ingress' }
/** What stands from here on in the last report was written by a person, and stays. */
const KEPT_HEADING = '## What the figures say'

export type BalanceSample = Readonly<{
  way: Way
  subject: string
  round: number
  row: BalanceRow
  value: number
  foreignCores: number
}>

export type BalanceFailure = Readonly<{
  way: Way; subject: string; round: number; message: string
}>

type Figures = Partial<Record<BalanceRow, Figure>>

export type BalanceReport = Readonly<{
  when: string
  mode: string
  rounds: number
  seconds: number
  atOnce: number
  subjects: readonly string[]
  machine: Machine
  versions: Readonly<Record<string, string>>
  repeated: number
  disturbed: number
  figures: Readonly<Record<string, Readonly<Record<string, Figures>>>>
  failures: readonly BalanceFailure[]
}>

type Run = Omit<BalanceReport, 'figures' | 'disturbed'>

export function balanceReportOf(
  run: Run, ways: readonly Way[], samples: readonly BalanceSample[],
): BalanceReport {
  const figures: Record<string, Record<string, Figures>> = {}
  for (const way of ways) {
    const bySubject: Record<string, Figures> = figures[way] = {}
    for (const subject of run.subjects) {
      const own = samples.filter(sample => sample.way === way && sample.subject === subject)
      const rows = ROWS.map(row => [row, own.filter(sample => sample.row === row.key)] as const)
      bySubject[subject] = Object.fromEntries(rows.filter(([, taken]) => taken.length > 0)
        .map(([row, taken]) => [row.key, figureOf(row.unit, taken)]))
    }
  }
  const disturbed = samples.filter(sample => sample.foreignCores > FOREIGN_CORES_MAX).length
  return { ...run, disturbed, figures }
}

/** What no sound run has: empty when there is nothing. */
export function faultsOf(report: BalanceReport, balancers: readonly Balancer[]): string[] {
  const faults = report.failures.map(({ way, subject, message }) => `${way} ${subject}: ${message}`)
  for (const [way, bySubject] of Object.entries(report.figures)) {
    for (const { name, ways, backends } of balancers) {
      if (!ways.includes(way as Way)) continue
      for (const { key, sane: [least, most], unit } of ROWS) {
        if (key === 'share' && backends !== BACKENDS) continue
        const { min = NaN, max = NaN } = bySubject[name]?.[key] ?? {}
        if (min >= least && max <= most) continue
        if (report.failures.some(one => one.way === way && one.subject === name)) continue
        faults.push(`${way} ${name} ${key}: ${min} to ${max} ${unit}, not ${least} to ${most}`)
      }
    }
  }
  return faults
}

export function balanceTextOf(report: BalanceReport, balancers: readonly Balancer[]): string {
  const lines = Object.keys(report.figures).flatMap(way =>
    ROWS.map(row => lineOf(report, way as Way, row)))
  return [
    `${report.when}, ${report.mode} run of ${Math.round(report.seconds)} s, `
    + `${report.rounds} ${report.rounds === 1 ? 'round' : 'rounds'}.`,
    ...measuredOn(report), '',
    `Medians; in brackets the ratio to ${REFERENCES.join(' and to ')}.`, '',
    ...tableOf([['Row', 'Unit', ...report.subjects], ...lines]), '',
    '- A new connection is: connect, 64 octets there, 64 back, and the end, which the server '
    + `begins. One client has ${report.atOnce} of them under way. The time is that from the call `
    + 'to the end.',
    '- Failed are those that are refused, reset or not over within 3 s, of all rounds together.',
    '- One stream is a TCP connection that sends flat out; the server has counted what arrived.',
    '- Client, balancers and backends share the processors of the machine, so what one of them '
    + 'does not use the others have.',
    ...balancers.map(({ name, about }) => `- ${name}: ${about}.`),
    ...report.failures.map(({ way, subject, round, message }) =>
      `- FAILED: ${way} ${subject}, round ${round + 1}: ${message}`), '',
  ].join('\n')
}

/** The file as it is to be: the new table, and what a person has written below the last one. */
export function balanceFileOf(text: string, last: string): string {
  const at = last.indexOf(KEPT_HEADING)
  return '# New connections\n\nWritten by `bench/balance --write`; every single value is in '
    + '[results/balance-latest.json](results/balance-latest.json). What stands below "What the '
    + `figures say" is kept by it.\n\n${text}\n${at < 0 ? `${KEPT_HEADING}\n` : last.slice(at)}`
}

function lineOf(report: BalanceReport, way: Way, row: Row): string[] {
  const figure = (subject: string) => report.figures[way]?.[subject]?.[row.key]
  const cells = report.subjects.map(subject => {
    const found = figure(subject)
    if (found === undefined) return ''
    // One that failed in one of the rounds must be seen.
    if (row.key === 'failed') return String(found.values.reduce((sum, one) => sum + one, 0))
    const shown = found.median.toFixed(row.digits)
    if (!row.compared) return shown
    const ratios = REFERENCES.map(other => ratioOf(found.median, figure(other)?.median))
    return `${shown} (${ratios.map(ratio => ratio?.toFixed(2) ?? '-').join(' ')})`
  })
  return [`${WAY_TITLES[way]}: ${row.title}`, row.unit, ...cells]
}
