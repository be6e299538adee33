// From the words of a template to its tree. Blocks are if, range and with; a pipeline is made of
// calls, of which each gets the value of the one before as its last argument.
import { UsageError } from '../../../base/errors.ts'
import { cutTemplate, type Piece, type Token } from './tokens.ts'

export type Expression =
  | Readonly<{ kind: 'value'; value: string | number | boolean | null }>
  /** `from` is "" for the dot, "$" for the root, "$x" for a variable. */
  | Readonly<{ kind: 'chain'; from: string; fields: readonly string[] }>
  | Readonly<{ kind: 'group'; inner: Pipeline; fields: readonly string[] }>
  | Readonly<{ kind: 'call'; name: string }>

export type Call = Readonly<{ head: Expression; arguments: readonly Expression[] }>
export type Pipeline = Readonly<{
  /** Variables that get the value; of a range two may be named, for index and element. */
  variables: readonly string[]
  calls: readonly Call[]
}>

export type Part =
  | Readonly<{ kind: 'text'; text: string }>
  | Readonly<{ kind: 'print'; pipeline: Pipeline }>
  | Readonly<{ kind: 'if' | 'range' | 'with'; pipeline: Pipeline; then: readonly Part[]
    otherwise: readonly Part[] }>

/** Blocks and brackets inside each other. */
export const NESTING_MAX = 32
const BLOCKS = ['if', 'range', 'with'] as const
const CONSTANTS: Readonly<Record<string, boolean | null>> = { true: true, false: false, nil: null }

/** @throws UsageError that says where the template goes wrong */
export function parseTemplate(source: string): readonly Part[] {
  const reader = new PieceReader(cutTemplate(source))
  const parts = reader.parts(0)
  if (reader.stopped !== null) {
    throw new UsageError(`"{{${wordsOf(reader.stopped)}}}" stands outside of any block`)
  }
  return parts
}

class PieceReader {
  readonly #pieces: readonly Piece[]
  #at = 0
  /** The "else" or "end" that ended parts(); null at the end of the template. */
  stopped: readonly Token[] | null = null

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces
  }

  parts(depth: number): Part[] {
    if (depth > NESTING_MAX) throw tooDeep()
    const parts: Part[] = []
    while (this.#at < this.#pieces.length) {
      const piece = this.#pieces[this.#at++]!
      if ('text' in piece) {
        parts.push({ kind: 'text', text: piece.text })
        continue
      }
      const [first] = piece.action
      if (first?.kind === 'name' && (first.text === 'else' || first.text === 'end')) {
        this.stopped = piece.action
        return parts
      }
      const block = BLOCKS.find(word => first?.kind === 'name' && first.text === word)
      parts.push(block === undefined
        ? { kind: 'print', pipeline: parsePipeline(piece.action) }
        : this.#block(block, piece.action.slice(1), depth))
    }
    this.stopped = null
    return parts
  }

  #block(kind: typeof BLOCKS[number], words: readonly Token[], depth: number): Part {
    const pipeline = parsePipeline(words)
    const then = this.parts(depth + 1)
    const stop = this.stopped
    if (stop === null) throw new UsageError(`"{{${kind} …}}" has no "{{end}}"`)
    if (stop[0]!.text === 'end') return { kind, pipeline, then, otherwise: [] }
    const [, next, ...rest] = stop
    if (next?.kind === 'name' && next.text === 'if') {
      return { kind, pipeline, then, otherwise: [this.#block('if', rest, depth + 1)] }
    }
    if (next !== undefined) throw new UsageError(`"{{${wordsOf(stop)}}}" is not understood`)
    const otherwise = this.parts(depth + 1)
    if (this.stopped?.[0]?.text !== 'end') {
      throw new UsageError(`"{{${kind} …}}" has no "{{end}}" after its "{{else}}"`)
    }
    return { kind, pipeline, then, otherwise }
  }
}

function parsePipeline(words: readonly Token[]): Pipeline {
  const reader = new WordReader(words)
  const pipeline = reader.pipeline(0)
  if (reader.peek() !== undefined) throw reader.strange()
  return pipeline
}

class WordReader {
  readonly #words: readonly Token[]
  #at = 0

  constructor(words: readonly Token[]) {
    this.#words = words
  }

  peek(ahead = 0): Token | undefined {
    return this.#words[this.#at + ahead]
  }

  strange(): UsageError {
    return new UsageError(`"{{${wordsOf(this.#words)}}}" is not understood`)
  }

  pipeline(depth: number): Pipeline {
    if (depth > NESTING_MAX) throw tooDeep()
    const variables = this.#variables()
    const calls: Call[] = []
    do calls.push(this.#call(depth))
    while (this.#takes('|'))
    return { variables, calls }
  }

  /** "$x :=", "$i, $x :=", or "$x =". */
  #variables(): string[] {
    const isVariable = (token: Token | undefined): boolean =>
      token?.kind === 'chain' && /^\$\w+$/.test(token.text)
    const count = isVariable(this.peek()) && isAssignment(this.peek(1)) ? 1
      : isVariable(this.peek()) && this.peek(1)?.text === ',' && isVariable(this.peek(2))
        && isAssignment(this.peek(3)) ? 2 : 0
    const variables = count === 0 ? [] : count === 1
      ? [this.peek()!.text] : [this.peek()!.text, this.peek(2)!.text]
    this.#at += 2 * count
    return variables
  }

  #call(depth: number): Call {
    const [head, ...rest] = this.#expressions(depth)
    if (head === undefined) throw this.strange()
    return { head, arguments: rest }
  }

  #expressions(depth: number): Expression[] {
    const found: Expression[] = []
    for (let token = this.peek(); token !== undefined; token = this.peek()) {
      if (token.kind === 'mark' && token.text !== '(') break
      this.#at++
      found.push(token.kind === 'mark' ? this.#group(depth) : expressionOf(token))
    }
    return found
  }

  #group(depth: number): Expression {
    const inner = this.pipeline(depth + 1)
    const close = this.peek()
    if (close === undefined || !close.text.startsWith(')')) throw this.strange()
    this.#at++
    return { kind: 'group', inner, fields: close.text.split('.').slice(1) }
  }

  #takes(mark: string): boolean {
    const token = this.peek()
    if (token?.kind !== 'mark' || token.text !== mark) return false
    this.#at++
    return true
  }
}

function isAssignment(token: Token | undefined): boolean {
  return token?.kind === 'mark' && (token.text === ':=' || token.text === '=')
}

function expressionOf({ kind, text }: Token): Expression {
  switch (kind) {
    case 'number': return { kind: 'value', value: Number(text) }
    case 'text': return { kind: 'value', value: unquoted(text) }
    case 'name': return Object.hasOwn(CONSTANTS, text)
      ? { kind: 'value', value: CONSTANTS[text]! } : { kind: 'call', name: text }
    default: {
      const [from = '', ...fields] = text.split('.')
      return { kind: 'chain', from, fields: fields.filter(field => field !== '') }
    }
  }
}

function unquoted(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1)
  try {
    return JSON.parse(text) as string
  } catch {
    throw new UsageError(`${text} is no text in quotes`)
  }
}

function wordsOf(words: readonly Token[]): string {
  return words.map(({ text }) => text).join(' ')
}

function tooDeep(): UsageError {
  return new UsageError(`a template goes at most ${NESTING_MAX} blocks or brackets deep`)
}
