// TypeScript as the house rules see it: tokens, brackets and functions. No parser is used, for a
// scanner is enough for the way we write.
import { stripTypeScriptTypes } from 'node:module'

type Kind = 'word' | 'number' | 'string' | 'template' | 'regex' | 'mark'
export type Token = Readonly<{ kind: Kind; text: string; line: number }>

// ---- tokens ----

/** Words after which a value begins, so that "/" starts a regular expression and "[" an array. */
const BEFORE_VALUE = new Set([
  'return', 'typeof', 'case', 'in', 'of', 'new', 'delete', 'void', 'throw', 'await', 'yield',
  'else', 'do', 'const', 'let', 'var', 'default', 'extends', 'instanceof',
])

export function valueMayBegin(before: Token | undefined): boolean {
  if (before === undefined) return true
  if (before.kind === 'word') return BEFORE_VALUE.has(before.text)
  return before.kind === 'mark' && ![')', ']', '}', '?.'].includes(before.text)
}

const SPACE = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y
const STRING = /'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y
const NUMBER = /\d[\w.]*/y
const WORD = /#?[\p{ID_Start}$_][\p{ID_Continue}$]*/uy
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/y
const TEMPLATE_TEXT = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y
const MARK = /=>|\.\.\.|\?\.(?!\d)|[\s\S]/y

/** The tokens of `text` without space and comments. What stands in `${}` of a template counts. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  /** For each template that is open: how many braces are open inside its current `${}`. */
  const templates: number[] = []
  let at = 0
  let line = 1
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    if (found === undefined) return undefined
    at += found.length
    return found
  }
  const templateText = () => {
    line += (take(TEMPLATE_TEXT) ?? '').split('\n').length - 1
    if (text[at] === '`') templates.pop()
    at += text[at] === '`' ? 1 : 2
  }
  while (at < text.length) {
    const space = take(SPACE)
    if (space !== undefined) {
      line += space.split('\n').length - 1
      continue
    }
    const startLine = line
    const add = (kind: Kind, found: string) => tokens.push({ kind, text: found, line: startLine })
    const plain = nextToken(take, tokens.at(-1))
    if (plain !== undefined) {
      add(plain[0], plain[1])
      line += plain[1].split('\n').length - 1
      continue
    }
    const mark = take(MARK) ?? ''
    if (mark === '`') {
      add('template', mark)
      templates.push(0)
      templateText()
    } else if (mark === '}' && templates.at(-1) === 0) {
      templateText()
    } else {
      add('mark', mark)
      if (templates.length > 0 && mark === '{') templates[templates.length - 1]! += 1
      if (templates.length > 0 && mark === '}') templates[templates.length - 1]! -= 1
    }
  }
  return tokens
}

function nextToken(
  take: (pattern: RegExp) => string | undefined, before: Token | undefined,
): [Kind, string] | undefined {
  const string = take(STRING)
  if (string !== undefined) return ['string', string]
  const word = take(WORD)
  if (word !== undefined) return ['word', word]
  const number = take(NUMBER)
  if (number !== undefined) return ['number', number]
  const regex = valueMayBegin(before) ? take(REGEX) : undefined
  return regex === undefined ? undefined : ['regex', regex]
}

/** The code with its types blanked out, everything else in its place. */
function withoutTypes(text: string): string {
  const { emitWarning } = process
  // The function says on first use that it is experimental; a test run need not repeat it.
  process.emitWarning = () => {}
  try {
    return stripTypeScriptTypes(text)
  } finally {
    process.emitWarning = emitWarning
  }
}

// ---- structure: brackets and functions ----

type FunctionSpan = Readonly<{ name: string; from: number; bodyFrom: number; to: number }>
export type Code = Readonly<{
  tokens: readonly Token[]
  /** Index of the opening bracket for each closing one, and the other way round. */
  partner: ReadonlyMap<number, number>
  /** Index of the bracket around each token, or -1. */
  around: readonly number[]
  functions: readonly FunctionSpan[]
}>

const NOT_FUNCTIONS = new Set(['if', 'for', 'while', 'switch', 'catch', 'with', 'await'])

export function codeOf(text: string): Code {
  const tokens = tokensOf(withoutTypes(text))
  const partner = new Map<number, number>()
  const around: number[] = []
  const open: number[] = []
  for (const [i, token] of tokens.entries()) {
    const isMark = token.kind === 'mark'
    if (isMark && ')]}'.includes(token.text)) {
      const opening = open.pop() ?? -1
      partner.set(i, opening)
      partner.set(opening, i)
    }
    around.push(open.at(-1) ?? -1)
    if (isMark && '([{'.includes(token.text)) open.push(i)
  }
  const code = { tokens, partner, around, functions: [] as FunctionSpan[] }
  for (const i of tokens.keys()) {
    const span = functionWithBody(code, i)
    if (span !== undefined) code.functions.push(span)
  }
  return code
}

/** The function, method or arrow function whose body is the brace at `i`. */
function functionWithBody(code: Code, i: number): FunctionSpan | undefined {
  const { tokens, partner } = code
  if (!isMark(tokens[i], '{')) return undefined
  const to = partner.get(i) ?? tokens.length - 1
  if (isMark(tokens[i - 1], '=>')) {
    const from = isMark(tokens[i - 2], ')') ? partner.get(i - 2) ?? i : i - 2
    return { name: '', from, bodyFrom: i, to }
  }
  if (!isMark(tokens[i - 1], ')')) return undefined
  const before = (partner.get(i - 1) ?? 0) - 1
  const name = tokens[before]
  if (name === undefined || NOT_FUNCTIONS.has(name.text)) return undefined
  const starts = [before, before - 1, before - 2].find(at => tokens[at]?.text === 'function')
  return {
    name: name.kind === 'word' && name.text !== 'function' ? name.text : '',
    from: starts ?? before,
    bodyFrom: i,
    to,
  }
}

export function isMark(token: Token | undefined, text: string): boolean {
  return token?.kind === 'mark' && token.text === text
}

export function isWord(token: Token | undefined, text: string): boolean {
  return token?.kind === 'word' && token.text === text
}
