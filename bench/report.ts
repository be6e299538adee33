// From samples to what people and programs read: medians, ratios, one table, one JSON object.
import { barLines } from './bars.ts'
import type { Setting } from './hosts.ts'
import type { Machine } from './machine.ts'
import type { Mode } from './plan.ts'
import { FOREIGN_CORES_MAX } from './quiet.ts'
import type { Row, RowKey } from './rows.ts'
import { ROWS } from './rows.ts'
import type { Failure, Outcome, Sample } from './session.ts'

const OURS = 'tapmesh'
const REFERENCES = { '': 'kvxlan', _br: 'kvxlan-br' } as const

export type Figure = Readonly<{
  unit: string
  median: number
  min: number
  max: number
  values: readonly number[]
  /** Processors that others kept busy while each value was taken */
  foreignCores: readonly number[]
}>

type Figures = Partial<Record<RowKey, Figure>>

export type Report = Readonly<{
  when: string
  mode: Mode
  settings: readonly Setting[]
  subjects: readonly string[]
  seconds: number
  /** Of these, spent waiting for others who measured */
  waitedSeconds: number
  machine: Machine
  versions: Readonly<Record<string, string>>
  notes: readonly string[]
  repeated: number
  /** Values taken while others used more than the allowed share of a processor */
  disturbed: number
  ratios: Readonly<Record<string, number>>
  figures: Readonly<Record<string, Readonly<Record<string, Figures>>>>
  failures: readonly Failure[]
}>

const NOTES = [
  'A: the veth pair of the underlay as the kernel makes it; B: tso, gso, gro, tx and rx off.',
  'A ratio is the median of tapmesh divided by the median of the other one: ROW_SETTING by kvxlan, '
  + 'ROW_SETTING_br by kvxlan-br, ROW_SETTING_peer by the best of the peers.',
  'Higher is better, except for ping*, rr_p50, rr_p99, udp64_loss, cpu, cpu_tunnel and rss.',
  'udp64 counts what arrives per second when the sender sends flat out; udp64_clean is the highest '
  + 'rate that loses less than 1 %.',
  'ping is the median of one ping each 10 ms on an otherwise idle machine; ping_1ms one each 1 ms.',
  'cpu is the time of all processors, with tools and interrupts and without other people\'s '
  + 'processes, per GB of the 1-stream TCP run.',
]

export type Run = Readonly<{
  when: string
  mode: Mode
  settings: readonly Setting[]
  subjects: readonly string[]
  peers: readonly string[]
  machine: Machine
  versions: Readonly<Record<string, string>>
}>

export function reportOf(run: Run, outcome: Outcome): Report {
  const { peers, ...said } = run
  const figures: Record<string, Record<string, Figures>> = {}
  for (const setting of run.settings) {
    const bySubject: Record<string, Figures> = figures[setting] = {}
    for (const subject of run.subjects) {
      bySubject[subject] = figuresOf(outcome.samples.filter(sample => {
        return sample.setting === setting && sample.subject === subject
      }))
    }
  }
  const disturbed = outcome.samples.filter(sample => sample.foreignCores > FOREIGN_CORES_MAX).length
  return {
    ...said, seconds: round(outcome.seconds), waitedSeconds: round(outcome.waitedSeconds),
    notes: NOTES, repeated: outcome.repeated, disturbed,
    ratios: ratiosOf(figures, peers), figures, failures: outcome.failures,
  }
}

function figuresOf(samples: readonly Sample[]): Figures {
  const figures: Figures = {}
  for (const { key, unit } of ROWS) {
    const taken = samples.filter(sample => sample.row === key)
    if (taken.length > 0) figures[key] = figureOf(unit, taken)
  }
  return figures
}

/** What values of one row, taken one after the other, come to. */
export function figureOf(
  unit: string, taken: readonly Pick<Sample, 'value' | 'foreignCores'>[],
): Figure {
  const values = taken.map(sample => round(sample.value))
  const foreignCores = taken.map(sample => round(sample.foreignCores))
  const [min, max] = [Math.min(...values), Math.max(...values)]
  return { unit, median: median(values), min, max, values, foreignCores }
}

function ratiosOf(figures: Report['figures'], peers: readonly string[]): Record<string, number> {
  const ratios: Record<string, number> = {}
  for (const [setting, bySubject] of Object.entries(figures)) {
    for (const row of ROWS) {
      const median = (subject: string) => bySubject[subject]?.[row.key]?.median
      for (const [suffix, reference] of Object.entries(REFERENCES)) {
        const ratio = ratioOf(median(OURS), median(reference))
        if (ratio !== undefined) ratios[`${row.key}_${setting}${suffix}`] = ratio
      }
      const theirs = peers.map(median).filter(value => value !== undefined)
      const best = row.better === 'higher' ? Math.max(...theirs) : Math.min(...theirs)
      const ratio = theirs.length === 0 ? undefined : ratioOf(median(OURS), best)
      if (ratio !== undefined) ratios[`${row.key}_${setting}_peer`] = ratio
    }
  }
  return ratios
}

export function ratioOf(ours: number | undefined, theirs: number | undefined): number | undefined {
  if (ours === undefined || theirs === undefined || theirs <= 0) return undefined
  return round(ours / theirs)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : round(((sorted[middle - 1] ?? NaN) + upper) / 2)
}

/** Four digits say more than any of these measurements is good for. */
function round(value: number): number {
  return Number(value.toPrecision(4))
}

/** Values of references that no working machine gives; empty when all are sane. */
export function insaneValues(report: Report): string[] {
  const faults: string[] = []
  for (const [setting, bySubject] of Object.entries(report.figures)) {
    for (const [subject, figures] of Object.entries(bySubject)) {
      for (const { key, sane: [least, most], unit } of ROWS) {
        const value = figures[key]?.median
        const kernel = figures.rss === undefined
        if (value === undefined && kernel && (key === 'cpu_tunnel' || key === 'rss')) continue
        if (value !== undefined && value >= least && value <= most) continue
        faults.push(`${setting} ${subject} ${key}: ${value} ${unit}, not ${least} to ${most}`)
      }
    }
  }
  return faults
}

/** The table, with what it was measured on, as Markdown that is as readable on a terminal. */
export function textOf(report: Report): string {
  const { subjects } = report
  const head = ['Row', 'Unit', ...subjects]
  const bars = barLines(report)
  const lines = report.settings.flatMap(setting => ROWS.map(row => lineOf(report, setting, row)))
  const shown = lines.filter(line => line.slice(2).some(cell => cell !== ''))
  return [
    `${report.when}, ${report.mode} run of ${Math.round(report.seconds)} s, settings `
    + `${report.settings.join(' and ')}, rounds: ${roundsOf(report)}.`,
    ...measuredOn(report), '',
    `Medians; in brackets the ratio to kvxlan and to kvxlan-br.`, '',
    ...tableOf([head, ...shown]), '',
    ...bars.length === 0 ? [] : [...tableOf(bars), ''],
    ...report.notes.map(note => `- ${note}`),
    ...report.failures.map(({ setting, subject, round, message }) => {
      return `- FAILED: ${setting} ${subject}, round ${round + 1}: ${message}`
    }), '',
  ].join('\n')
}

/** What the figures were measured on and with, and who else was there. */
export function measuredOn(
  { machine, versions, repeated, disturbed }:
  Pick<Report, 'machine' | 'versions' | 'repeated' | 'disturbed'>,
): string[] {
  return [
    `Linux ${machine.kernel}, ${machine.cores} cores (${machine.processor}), `
    + `${machine.memoryGb} GB, load ${machine.loadBefore} before and ${machine.loadAfter} after.`,
    `A system call takes ${machine.systemCallNs} ns, to wake a thread and hear from it `
    + `${machine.wakeMicros} us.`,
    `${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}.`,
    `Done again because others used the machine: ${repeated}; values still disturbed: `
    + `${disturbed}.`,
  ]
}

/** Values behind the medians of the first row: the number of rounds that came to their end. */
function roundsOf(report: Report): string {
  return report.settings.map(setting => {
    const subjects = Object.values(report.figures[setting] ?? {})
    return `${Math.max(0, ...subjects.map(figures => figures.tcp1?.values.length ?? 0))}`
  }).join(' and ')
}

function lineOf(report: Report, setting: Setting, row: Row): string[] {
  const median = (subject: string) => report.figures[setting]?.[subject]?.[row.key]?.median
  const cells = report.subjects.map(subject => {
    const value = median(subject)
    if (value === undefined) return ''
    const ratios = Object.values(REFERENCES).map(other => ratioOf(value, median(other)))
    const compared = ratios.map(ratio => ratio?.toFixed(2) ?? '-').join(' ')
    return `${value.toFixed(row.digits)} (${compared})`
  })
  return [`${setting} ${row.title}`, row.unit, ...cells]
}

/** @param lines the head first */
export function tableOf(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) => {
    return Math.max(...lines.map(line => line[column]?.length ?? 0))
  })
  const drawn = lines.map(line => {
    return `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  })
  const rule = `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`
  return [drawn[0] ?? '', rule, ...drawn.slice(1)]
}
