// The picture of a report: one panel per row, one bar per subject, drawn as SVG by hand because a
// chart of plain bars is all that is needed. The bars are medians, the thin lines least and most.
import type { Report } from './report.ts'
import { type Row, ROWS, type RowKey } from './rows.ts'

const PANELS: readonly (readonly [setting: 'A' | 'B', row: RowKey])[] = [
  ['A', 'tcp1'], ['B', 'tcp1'], ['A', 'tcp4'], ['A', 'udp64'], ['A', 'udp1400'], ['A', 'rr'],
  ['A', 'ping'], ['A', 'cpu'],
]
/** The raw pair of devices is no tunnel: its bars would make all others small. */
const LEFT_OUT = 'veth'
const WIDTH = 860
const COLUMNS = 2
const GAP = 28
const LABEL_WIDTH = 86
const VALUE_WIDTH = 62
const BAR_HEIGHT = 15
const BAR_STEP = 20
const TITLE_HEIGHT = 30
const HEAD_HEIGHT = 62

/** Colours of both themes; "ours" is the one that is to be found at a glance. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 } .faint { fill: #59636e; font-size: 12px }
  .bar { fill: #afb8c1 } .kernel { fill: #6e7781 } .ours { fill: #0969da }
  .range { stroke: #1f2328; stroke-width: 1.2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .faint { fill: #9198a1 }
    .bar { fill: #424a53 } .kernel { fill: #6e7681 } .ours { fill: #4493f8 }
    .range { stroke: #e6edf3 }
  }`

type Bar = Readonly<{ subject: string; median: number; min: number; max: number }>

/** The whole picture as the text of an SVG file. */
export function chartOf(report: Report): string {
  const panels = PANELS.flatMap(([setting, key]) => {
    const row = ROWS.find(one => one.key === key)!
    const bars = barsOf(report, setting, key)
    return bars.length === 0 ? [] : [{ setting, row, bars }]
  })
  const barsMax = Math.max(0, ...panels.map(({ bars }) => bars.length))
  const panelHeight = TITLE_HEIGHT + barsMax * BAR_STEP + GAP
  const panelWidth = (WIDTH - GAP * (COLUMNS + 1)) / COLUMNS
  const height = HEAD_HEIGHT + Math.ceil(panels.length / COLUMNS) * panelHeight
  const drawn = panels.map(({ setting, row, bars }, n) => {
    const x = GAP + n % COLUMNS * (panelWidth + GAP)
    const y = HEAD_HEIGHT + Math.floor(n / COLUMNS) * panelHeight
    return `<g transform="translate(${x} ${y})">${panelOf(setting, row, bars, panelWidth)}</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" `
    + `height="${height}" role="img" aria-label="Benchmark results"><style>${STYLE}</style>`,
    `<text x="${GAP}" y="26" class="title">tapmesh beside the kernel's VXLAN and other userspace `
    + 'tunnels</text>',
    `<text x="${GAP}" y="46" class="faint">${escaped(headOf(report))}</text>`, ...drawn, '</svg>', '',
  ].join('\n')
}

function headOf({ when, machine }: Report): string {
  return `${when.slice(0, 10)}, Linux ${machine.kernel}, ${machine.cores} cores, two hosts on one `
    + 'machine, MTU 1500. A: offloads of the underlay on, B: off. \u2191 more is better.'
}

function barsOf(report: Report, setting: 'A' | 'B', key: RowKey): Bar[] {
  return Object.entries(report.figures[setting] ?? {}).flatMap(([subject, figures]) => {
    const figure = figures[key]
    return subject === LEFT_OUT || figure === undefined ? [] : [{ subject, ...figure }]
  })
}

function panelOf(setting: string, row: Row, bars: readonly Bar[], width: number): string {
  const most = Math.max(...bars.map(bar => bar.max))
  const room = width - LABEL_WIDTH - VALUE_WIDTH
  const scale = (value: number) => Math.round(value / most * room * 10) / 10
  const title = `<text y="14" class="title">${escaped(row.title)}, ${setting}</text>`
    + `<text x="${width}" y="14" text-anchor="end" class="faint">`
    + `${row.unit} ${row.better === 'higher' ? '\u2191' : '\u2193'}</text>`
  return title + bars.map((bar, n) => {
    const y = TITLE_HEIGHT + n * BAR_STEP
    const middle = y + BAR_HEIGHT / 2
    const kind = bar.subject === 'tapmesh' ? 'ours' : bar.subject === 'kvxlan' ? 'kernel' : 'bar'
    const end = LABEL_WIDTH + scale(bar.max)
    return `<text y="${y + 12}">${escaped(bar.subject)}</text>`
      + `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y}" width="${scale(bar.median)}" `
      + `height="${BAR_HEIGHT}" rx="2"/>`
      + `<line class="range" x1="${LABEL_WIDTH + scale(bar.min)}" x2="${end}" y1="${middle}" `
      + `y2="${middle}"/><text x="${end + 6}" y="${y + 12}" class="faint">`
      + `${bar.median.toFixed(row.digits)}</text>`
  }).join('')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
