// The house rule for hot files: they make no garbage. It sees what is written there, not what is
// called from there.
import { type Code, codeOf, isMark, isWord, valueMayBegin } from './tidy-code.test-kit.ts'
import { isTest, type Source } from './tidy-rules.test-kit.ts'

export function isHot(text: string): boolean {
  return text.startsWith('// hot:')
}

export function garbageFaults({ path, text }: Source): string[] {
  if (!isHot(text) || isTest(path)) return []
  const code = codeOf(text)
  return code.tokens.flatMap((token, i) => {
    const what = garbage(code, i)
    return what === undefined || isMade(code, i) ? [] : [`${path}:${token.line}: ${what}`]
  })
}

/**
 * Whether what the token makes is made at start: in a function named make…, in a constructor, or as
 * the first value of a field. Who calls a constructor in a hot file has to write `new`.
 */
function isMade(code: Code, i: number): boolean {
  return isFirstValue(code, i) || code.functions.some(({ name, from, to }) => {
    const isConstructor = name === 'constructor' && isInClassBody(code, from)
    return (isConstructor || /^#?make(?:[A-Z]|$)/.test(name)) && i >= from && i <= to
  })
}

function isInClassBody(code: Code, i: number): boolean {
  const brace = code.around[i]!
  return isMark(code.tokens[brace], '{') && isClassBody(code, brace)
}

/** Whether the token belongs to `field = …` of a class. The body of a function there does not. */
function isFirstValue(code: Code, i: number): boolean {
  const { tokens, partner } = code
  let at = i
  while (at >= 0 && !isInClassBody(code, at)) at = code.around[at]!
  // Back to the `=`; a word behind the end of a value begins the next member, and there was none.
  while (at >= 0 && !isMark(tokens[at], '=')) {
    const isMember = tokens[at]!.kind === 'word' && !valueMayBegin(tokens[at - 1])
    const isNext = isMember && !['in', 'instanceof'].includes(tokens[at]!.text)
    const before = partner.get(at - 1)
    const isClosed = before !== undefined && before < at - 1
    if (isNext || !isInClassBody(code, at - 1)) return false
    at = isClosed ? before : at - 1
  }
  const isLater = tokens.slice(Math.max(at, 0), i).some(token => isMark(token, '=>'))
    || code.functions.some(({ bodyFrom, to }) => at < bodyFrom && bodyFrom < i && i < to)
  return at >= 0 && !isLater
}

/** What the token at `i` would make each time that it runs. */
function garbage(code: Code, i: number): string | undefined {
  const token = code.tokens[i]!
  const before = code.tokens[i - 1]
  if (token.kind === 'template') return 'template literal'
  if (token.kind === 'regex') return 'regular expression'
  if (token.kind === 'word' && !isMark(before, '.') && !isMark(before, '?.')) {
    if (token.text === 'new') return 'new'
    if (token.text === 'function' && isClosure(code, i)) return 'closure'
    if (token.text === 'of' && isForOf(code, i)) return 'for…of'
  }
  if (token.kind !== 'mark') return undefined
  if (token.text === '=>') return 'arrow function'
  if (token.text === '...') return 'spread or rest'
  if (token.text === '[' && (valueMayBegin(before) || isMark(before, '}'))) {
    return 'array literal or pattern'
  }
  return token.text === '{' && isObjectLiteral(code, i) ? 'object literal' : undefined
}

/** A function that is a value, or that stands in another one. */
function isClosure(code: Code, i: number): boolean {
  const isInside = code.functions.some(({ bodyFrom, to }) => i > bodyFrom && i < to)
  const start = isWord(code.tokens[i - 1], 'async') ? i - 1 : i
  const before = code.tokens[start - 1]
  const isStatement = before === undefined || isMark(before, '}') || isMark(before, ';')
    || isWord(before, 'export') || before.line < code.tokens[start]!.line
  const isValue = before !== undefined && !isMark(before, ';') && valueMayBegin(before)
  return isInside || isValue || !isStatement
}

function isForOf(code: Code, i: number): boolean {
  const head = code.tokens[code.around[i]! - 1]
  return isWord(head, 'for') || isWord(head, 'await')
}

const BEFORE_BLOCK = new Set(['else', 'do', 'try', 'finally', 'catch', 'static'])
const BEFORE_NAMES = new Set(['import', 'export', 'with', 'const', 'let', 'var'])

/** Whether the brace at `i` begins an object; blocks, bodies, classes and patterns do too. */
function isObjectLiteral(code: Code, i: number): boolean {
  const { tokens } = code
  const before = tokens[i - 1]
  if (before === undefined) return false
  if (before.kind === 'word') {
    return !BEFORE_BLOCK.has(before.text) && !BEFORE_NAMES.has(before.text) && !isClassBody(code, i)
  }
  if (before.kind !== 'mark') return false
  if ([';', '{', '}', '=>'].includes(before.text)) return false
  if (before.text === ')') return false
  if (before.text === ',') return !isWord(tokens[i - 3], 'import')
  return before.text !== ':' || !isCaseBody(code, i)
}

function isClassBody(code: Code, i: number): boolean {
  for (let at = i - 1; at >= 0; at -= 1) {
    const token = code.tokens[at]!
    if (isWord(token, 'class')) return true
    if (token.kind !== 'word' && token.text !== '.') return false
  }
  return false
}

function isCaseBody(code: Code, i: number): boolean {
  const line = code.tokens[i]!.line
  let first = i
  while (first > 0 && code.tokens[first - 1]!.line === line) first -= 1
  return isWord(code.tokens[first], 'case') || isWord(code.tokens[first], 'default')
}
