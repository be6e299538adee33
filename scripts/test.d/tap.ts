// Reads the Test Anything Protocol as ava (flat) and node-tap (nested) write it, and tells of every
// test, not of every assertion. Specification: TAP version 14.

export type Outcome = 'passed' | 'failed' | 'skipped'
export type Result = Readonly<{ name: string; outcome: Outcome; text: string }>

/** `flat`: each test point is a test. `nested`: points inside a test are its assertions. */
export type Style = 'flat' | 'nested'

type Point = { ok: boolean; title: string; skip: string | null; detail: string[] }
type Open = { indent: number; title: string; tests: number; failed: number; notes: string[] }

const POINT = /^( *)(not ok|ok)\b(?: +\d+)?(?: +- )?(.*)$/
const SUBTEST = /^( *)# Subtest: (.*)$/
const DIRECTIVE = /(?<!\\) # *(skip|todo)\b:?(.*)$/i
const TIME = /(?<!\\) # time=.*$/

function pointOf(rest: string, ok: boolean): Point {
  const bare = rest.replace(TIME, '')
  const directive = DIRECTIVE.exec(bare)
  const title = (directive === null ? bare : bare.slice(0, directive.index))
  return {
    ok,
    title: plain(title),
    skip: directive === null ? null : plain(directive[2]?.trim() || directive[1]!.toLowerCase()),
    detail: [],
  }
}

function plain(text: string): string {
  return text.trim().replace(/\\([#\\])/g, '$1')
}

export class TapReader {
  readonly #style: Style
  readonly #tell: (result: Result) => void
  readonly #open: Open[] = []
  /** A point is judged when the next line shows that no more detail belongs to it. */
  #point: { indent: number; point: Point } | null = null
  #inDetail = false

  constructor(style: Style, tell: (result: Result) => void) {
    this.#style = style
    this.#tell = tell
  }

  line(text: string): void {
    if (this.#takeDetail(text)) return
    this.#judge()
    const subtest = SUBTEST.exec(text)
    const point = POINT.exec(text)
    if (subtest !== null) {
      const [, spaces = '', words = ''] = subtest
      const title = plain(words)
      this.#open.push({ indent: spaces.length, title, tests: 0, failed: 0, notes: [] })
    } else if (point !== null) {
      const [, spaces = '', word, rest = ''] = point
      this.#point = { indent: spaces.length, point: pointOf(rest, word === 'ok') }
    } else if (text.startsWith('Bail out!')) {
      this.#tell({ name: this.#path('Bail out'), outcome: 'failed', text })
    } else if (/^ *# (?!time=|\{)/.test(text)) {
      this.#open.at(-1)?.notes.push(text.trim())
    }
  }

  /** Call once after the last line. What is still open never came to its end. */
  end(): void {
    this.#judge()
    const open = this.#open.at(-1)
    if (open === undefined) return
    this.#tell({ name: this.#path(), outcome: 'failed', text: 'the output ends within this test' })
    this.#open.length = 0
  }

  /** A YAML block, two columns further in than its point, from "---" to "...". */
  #takeDetail(text: string): boolean {
    if (this.#point === null) return false
    const { indent, point } = this.#point
    const margin = ' '.repeat(indent + 2)
    if (!this.#inDetail) {
      this.#inDetail = text === `${margin}---`
      return this.#inDetail
    }
    if (text === `${margin}...`) this.#inDetail = false
    else point.detail.push(text.slice(margin.length))
    return true
  }

  #judge(): void {
    if (this.#point === null) return
    const { indent, point } = this.#point
    this.#point = null
    this.#inDetail = false
    const open = this.#open.at(-1)
    if (open !== undefined && open.indent === indent) this.#close(open, point)
    else if (point.skip !== null) this.#count('skipped', this.#path(point.title), point.skip)
    else if (this.#style === 'flat') {
      this.#count(point.ok ? 'passed' : 'failed', this.#path(point.title), point.detail.join('\n'))
    } else if (!point.ok) {
      open?.notes.push(`not ok: ${point.title}`, ...point.detail.map(line => `  ${line}`))
    }
  }

  /** A test with tests inside counts as itself only when it failed and none of them did. */
  #close(open: Open, point: Point): void {
    const name = this.#path()
    this.#open.pop()
    const outcome = point.skip !== null ? 'skipped' : point.ok ? 'passed' : 'failed'
    const own = outcome === 'failed' ? open.failed === 0 : open.tests === 0
    const parent = this.#open.at(-1)
    if (parent !== undefined) {
      parent.tests += open.tests
      parent.failed += open.failed
    }
    if (!own) return
    const text = open.notes.some(note => note.startsWith('not ok')) || outcome !== 'failed'
      ? open.notes : [...open.notes, ...point.detail]
    this.#count(outcome, name, point.skip ?? text.join('\n'))
  }

  #count(outcome: Outcome, name: string, text: string): void {
    const parent = this.#open.at(-1)
    if (parent !== undefined) {
      parent.tests += 1
      parent.failed += outcome === 'failed' ? 1 : 0
    }
    this.#tell({ name, outcome, text })
  }

  #path(...more: string[]): string {
    return [...this.#open.map(open => open.title), ...more].join(' > ')
  }
}
