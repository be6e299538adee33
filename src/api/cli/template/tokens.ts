// A template cut into text and actions, and its actions into words, as Go's text/template has them.
import { UsageError } from '../../../base/errors.ts'

export type Token = Readonly<{
  /** "chain" is a way to a value: ".", ".A.B", "$x.A"; a ")" may be followed by one: ").A". */
  kind: 'name' | 'chain' | 'text' | 'number' | 'mark'
  text: string
}>
export type Piece = Readonly<{ text: string }> | Readonly<{ action: readonly Token[] }>

/** What a person types on a command line; longer ones would only be mistakes. */
export const TEMPLATE_LENGTH_MAX = 16_384

const SPACE = /\s*/y
const COMMENT = /\s*\/\*[^]*?\*\/(?=\s*-?\}\})/y
const TOKENS: readonly (readonly [kind: Token['kind'], pattern: RegExp])[] = [
  ['text', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['number', /[+-]?\d+(?:\.\d+)?(?![\w.])/y],
  ['chain', /\$\w*(?:\.[A-Za-z_]\w*)*|(?:\.[A-Za-z_]\w*)+|\./y],
  ['mark', /\)(?:\.[A-Za-z_]\w*)*|:=|[(|,=]/y],
  ['name', /[A-Za-z_]\w*/y],
]
/** In the text between actions a shell leaves these as they are; Docker replaces them, too. */
const ESCAPES: Readonly<Record<string, string>> = { '\\t': '\t', '\\n': '\n' }

/** @throws UsageError that says where the template goes wrong */
export function cutTemplate(source: string): Piece[] {
  if (source.length > TEMPLATE_LENGTH_MAX) {
    throw new UsageError(`a template has at most ${TEMPLATE_LENGTH_MAX} characters`)
  }
  const pieces: Piece[] = []
  let trimNext = false
  for (let at = 0; at < source.length;) {
    const open = source.indexOf('{{', at)
    const raw = source.slice(at, open < 0 ? source.length : open)
    const trimLast = open >= 0 && /^-\s/.test(source.slice(open + 2, open + 4))
    let text = raw.replaceAll(/\\[tn]/g, escape => ESCAPES[escape]!)
    if (trimNext) text = text.trimStart()
    if (trimLast) text = text.trimEnd()
    if (text !== '') pieces.push({ text })
    if (open < 0) break
    const { tokens, end } = cutAction(source, open + 2 + (trimLast ? 1 : 0))
    if (tokens.length > 0) pieces.push({ action: tokens })
    trimNext = source[end - 3] === '-'
    at = end
  }
  return pieces
}

/** The words from `start` to "}}", and where that ends. */
function cutAction(source: string, start: number): { tokens: Token[]; end: number } {
  const tokens: Token[] = []
  const comment = lengthAt(COMMENT, source, start)
  for (let at = start + comment;;) {
    const gap = lengthAt(SPACE, source, at)
    at += gap
    const close = source.startsWith('}}', at) ? 2 : gap > 0 && source.startsWith('-}}', at) ? 3 : 0
    if (close > 0) {
      if (tokens.length === 0 && comment === 0) throw new UsageError('"{{}}" says nothing')
      return { tokens, end: at + close }
    }
    const token = tokenAt(source, at)
    tokens.push(token)
    at += token.text.length
  }
}

function tokenAt(source: string, at: number): Token {
  for (const [kind, pattern] of TOKENS) {
    const length = lengthAt(pattern, source, at)
    if (length > 0) return { kind, text: source.slice(at, at + length) }
  }
  const rest = source.slice(at, at + 20)
  throw new UsageError(rest === '' ? 'a "{{" has no "}}"' : `"${rest}" is not understood`)
}

function lengthAt(pattern: RegExp, source: string, at: number): number {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0].length ?? 0
}
