// How fast tapmesh wants to be, and whether it was: aims are ratios to what a run measured beside it,
// so that they mean the same on every machine.
import type { Report } from './report.ts'
import { ROWS } from './rows.ts'
import type { RowKey } from './rows.ts'

type Reference = '' | '_br' | '_peer'
/** `ratio` is to be at least `aim` where more is better, at most `aim` where less is. */
type Bar = Readonly<{ row: RowKey; setting: 'A' | 'B'; reference: Reference; aim: number }>

const NAMES: Readonly<Record<Reference, string>> = {
  '': 'kvxlan', _br: 'kvxlan-br', _peer: 'the best other tunnel',
}
const MEMORY_MAX_MB = 120

function bar(row: RowKey, setting: Bar['setting'], reference: Reference, aim: number): Bar {
  return { row, setting, reference, aim }
}

const BARS: readonly Bar[] = [
  bar('tcp1', 'A', '', 0.65), bar('tcp1', 'B', '', 0.95),
  bar('tcp4', 'A', '', 0.5), bar('tcp4', 'B', '', 0.95),
  bar('udp64', 'A', '', 2.4), bar('udp1400', 'A', '', 1),
  bar('rr', 'A', '', 0.85), bar('ping', 'A', '', 1.5), bar('ping_p99', 'A', '', 2),
  bar('cpu', 'A', '', 1.6),
  bar('tcp1', 'A', '_br', 0.8), bar('tcp1', 'B', '_br', 1.05), bar('udp64', 'A', '_br', 4),
  bar('rr', 'A', '_br', 1),
  bar('tcp1', 'A', '_peer', 5), bar('tcp1', 'B', '_peer', 2), bar('udp64', 'A', '_peer', 2),
]

/** Cells of a table: what was aimed at, and what came of it. Bars that were not measured are out. */
export function barLines(report: Report): string[][] {
  const lines = BARS.flatMap(({ row, setting, reference, aim }) => {
    const ratio = report.ratios[`${row}_${setting}${reference}`]
    const { better, title } = rowOf(row)
    if (ratio === undefined) return []
    const reached = better === 'higher' ? ratio >= aim : ratio <= aim
    return [[`${setting} ${title.replace(/^\.\.\. /, `${row.replace(/_.*/, '')} `)}`,
      NAMES[reference], `${better === 'higher' ? '≥' : '≤'} ${aim}`, ratio.toFixed(2),
      reached ? 'yes' : 'no']]
  })
  const memory = report.figures['A']?.['tapmesh']?.rss?.median
  if (memory !== undefined) {
    lines.push(['A Resident memory per host', 'MB', `≤ ${MEMORY_MAX_MB}`, memory.toFixed(0),
      memory <= MEMORY_MAX_MB ? 'yes' : 'no'])
  }
  return lines.length === 0 ? [] : [['Bar', 'Beside', 'Aim', 'Measured', 'Reached'], ...lines]
}

function rowOf(key: RowKey) {
  return ROWS.find(row => row.key === key)!
}
