// The house rules that a machine can check: which room may import which, how wide and high code may
// be, and that hot files make no garbage. No parser is used: a scanner of tokens is enough for the
// way we write, and the snippets at the end show what it catches and what it leaves alone.
import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

const SRC = fileURLToPath(new URL('.', import.meta.url))
const ROOMS = ['base', 'wire', 'kernel', 'path', 'cluster', 'daemon', 'api']
const BASE_FILES = [
  'assert', 'clock', 'errors', 'exec', 'ids', 'log', 'prng', 'ring-buffer', 'text',
]
const NATIVE_PACKAGES = ['cap', 'koffi', 'netlink', 'raw-socket']
const PATH_SEES_OF_KERNEL = ['kernel/port.ts', 'kernel/ring.ts']
const API_SEES_DAEMON = ['api/server.ts', 'api/routes.ts', 'api/serve.ts']
const COLUMNS_MAX = 100
const FUNCTION_LINES_MAX = 60
const FILE_LINES_MAX = 250
const BANNED_WORDS = /\b(?:TODO|FIXME|XXX)\b|not implemented|\bsimplified\b/i
const BANNED_NAMES = /(?:^|[-.])(?:utils?|helpers?|managers?)(?:[-.]|$)/
/** The only file that has to name the banned words. */
const THIS_FILE = 'tidy.test.ts'

type Kind = 'word' | 'number' | 'string' | 'template' | 'regex' | 'mark'
type Token = Readonly<{ kind: Kind; text: string; line: number }>
/** `path` is relative to src/, with slashes. */
type Source = Readonly<{ path: string; text: string }>
type Rule = (source: Source) => string[]

// ---- tokens ----

/** Words after which a value begins, so that "/" starts a regular expression and "[" an array. */
const BEFORE_VALUE = new Set([
  'return', 'typeof', 'case', 'in', 'of', 'new', 'delete', 'void', 'throw', 'await', 'yield',
  'else', 'do', 'const', 'let', 'var', 'default', 'extends', 'instanceof',
])

function valueMayBegin(before: Token | undefined): boolean {
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
function tokensOf(text: string): Token[] {
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
type Code = Readonly<{
  tokens: readonly Token[]
  /** Index of the opening bracket for each closing one, and the other way round. */
  partner: ReadonlyMap<number, number>
  /** Index of the bracket around each token, or -1. */
  around: readonly number[]
  functions: readonly FunctionSpan[]
}>

const NOT_FUNCTIONS = new Set(['if', 'for', 'while', 'switch', 'catch', 'with', 'await'])

function codeOf(text: string): Code {
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

function isMark(token: Token | undefined, text: string): boolean {
  return token?.kind === 'mark' && token.text === text
}

function isWord(token: Token | undefined, text: string): boolean {
  return token?.kind === 'word' && token.text === text
}

// ---- rules: imports ----

type Import = Readonly<{ target: string; typeOnly: boolean; line: number }>

/** Every `import`, `export … from`, `import()` and `require()` with a literal name. */
function importsOf(text: string): Import[] {
  const tokens = tokensOf(text)
  const imports: Import[] = []
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'word' || isMark(tokens[i - 1], '.')) continue
    const name = ['import', 'require'].includes(token.text) && isMark(tokens[i + 1], '(')
      ? tokens[i + 2]
      : token.text === 'import' || token.text === 'export' ? nameAfterFrom(tokens, i) : undefined
    if (name?.kind !== 'string') continue
    const after = tokens[i + 2]
    const typeOnly = isWord(tokens[i + 1], 'type') && !isWord(after, 'from') && !isMark(after, ',')
    imports.push({ target: name.text.slice(1, -1), typeOnly, line: token.line })
  }
  return imports
}

function nameAfterFrom(tokens: readonly Token[], start: number): Token | undefined {
  if (tokens[start + 1]?.kind === 'string') return tokens[start + 1]
  for (let i = start + 1; i < tokens.length; i += 1) {
    const token = tokens[i]!
    if (token.text === 'from' && tokens[i + 1]?.kind === 'string') return tokens[i + 1]
    const belongs = token.kind === 'word' ? !['import', 'export', 'const'].includes(token.text)
      : ['{', '}', ',', '*'].includes(token.text)
    if (!belongs) return undefined
  }
  return undefined
}

function isTest(path: string): boolean {
  return /\.test(?:-kit)?\.ts$/.test(path)
}

function roomOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : ''
}

function importFaults({ path, text }: Source): string[] {
  return importsOf(text).flatMap(found => {
    const isRelative = found.target.startsWith('.')
    const target = isRelative
      ? posix.normalize(posix.join(posix.dirname(path), found.target)) : found.target
    const why = (isRelative ? relativeFault(found.target, target)
      : packageFault(path, target) ?? httpFault(path, found))
      ?? (isTest(path) ? undefined : roomFault(path, target, isRelative, found.typeOnly))
    return why === undefined ? [] : [`${path}:${found.line}: imports ${found.target}: ${why}`]
  })
}

function relativeFault(written: string, target: string): string | undefined {
  if (!/\.(?:ts|json)$/.test(written)) return 'a relative import ends in .ts'
  if (target.startsWith('..') && target !== '../package.json') return 'that is outside of src'
  return undefined
}

function packageFault(path: string, name: string): string | undefined {
  const isNative = NATIVE_PACKAGES.some(native => name === native || name.startsWith(`${native}/`))
  return isNative && roomOf(path) !== 'kernel' ? 'native packages belong to kernel' : undefined
}

function httpFault(path: string, { target, typeOnly }: Import): string | undefined {
  const isLoaded = /^(?:node:)?https?$/.test(target) && !typeOnly
  return isLoaded && !isTest(path) ? 'it loads far more: api/node-http.ts has it' : undefined
}

function roomFault(
  path: string, target: string, isRelative: boolean, typeOnly: boolean,
): string | undefined {
  const own = roomOf(path)
  const other = isRelative ? roomOf(target) : ''
  if (own === 'wire' && other !== 'wire' && target !== 'base/assert.ts') {
    return 'wire imports nothing but base/assert'
  }
  if (!isRelative) return undefined
  if (ROOMS.indexOf(other) > ROOMS.indexOf(own)) return `${own} stands left of ${other}`
  if (own === 'path' && other === 'kernel' && !PATH_SEES_OF_KERNEL.includes(target)) {
    return 'path sees of kernel only port.ts and ring.ts'
  }
  if (own === 'cluster' && ['kernel', 'path'].includes(other)) {
    return 'cluster knows neither kernel nor path'
  }
  if (own === 'api' && other === 'daemon' && !typeOnly && !API_SEES_DAEMON.includes(path)) {
    return 'in api only server.ts, routes.ts and serve.ts know the daemon'
  }
  return target === 'kernel/syscalls.ts' && own !== 'kernel'
    ? 'system calls are made in kernel alone' : undefined
}

// ---- rules: names and sizes ----

function placeFaults({ path, text }: Source): string[] {
  const name = posix.basename(path, '.ts')
  const room = roomOf(path)
  const faults: string[] = []
  if (path !== THIS_FILE && !ROOMS.includes(room)) faults.push('is in no room')
  if (name === 'index') faults.push('no index.ts: import the file that has it')
  if (BANNED_NAMES.test(name)) faults.push('name it after what it is for')
  if (room === 'base' && !isTest(path) && !BASE_FILES.includes(name)) {
    faults.push(`base is a closed list: ${BASE_FILES.join(' ')}`)
  }
  if (!isTest(path) && !/^(?:\/\/|\/\*|#!)/.test(text)) {
    faults.push('opens without saying what it is for')
  }
  return faults.map(fault => `${path}: ${fault}`)
}

function exportFaults({ path, text }: Source): string[] {
  const tokens = tokensOf(text)
  return tokens.flatMap((token, i) => {
    const isDefault = isWord(token, 'default')
      && (isWord(tokens[i - 1], 'export') || isWord(tokens[i - 1], 'as'))
    if (isDefault) return [`${path}:${token.line}: default export`]
    const isPrefixed = isWord(tokens[i - 1], 'interface') && /^I[A-Z]/.test(token.text)
    return isPrefixed ? [`${path}:${token.line}: interface named I…`] : []
  })
}

function wordFaults({ path, text }: Source): string[] {
  if (path === THIS_FILE) return []
  return text.split('\n').flatMap((line, i) => {
    const word = BANNED_WORDS.exec(line)?.[0]
    return word === undefined ? [] : [`${path}:${i + 1}: "${word}"`]
  })
}

function sizeFaults({ path, text }: Source): string[] {
  const lines = text.replace(/\n$/, '').split('\n')
  const faults = lines.flatMap((line, i) => {
    const columns = Array.from(line).length
    return columns > COLUMNS_MAX ? [`${path}:${i + 1}: ${columns} columns`] : []
  })
  if (lines.length > FILE_LINES_MAX && !isTest(path)) {
    faults.push(`${path}: ${lines.length} lines in the file`)
  }
  return faults
}

function functionFaults({ path, text }: Source): string[] {
  const { tokens, functions } = codeOf(text)
  return functions.flatMap(({ name, from, to }) => {
    const start = tokens[from]!.line
    const lines = tokens[to]!.line - start + 1
    const what = name === '' ? 'a function' : name
    return lines > FUNCTION_LINES_MAX ? [`${path}:${start}: ${what} has ${lines} lines`] : []
  })
}

// ---- rules: garbage in hot files ----

function isHot(text: string): boolean {
  return text.startsWith('// hot:')
}

function garbageFaults({ path, text }: Source): string[] {
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

// ---- the tree ----

function sources(folder = ''): Source[] {
  return readdirSync(posix.join(SRC, folder), { withFileTypes: true }).flatMap(entry => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return sources(path)
    return path.endsWith('.ts') ? [{ path, text: readFileSync(posix.join(SRC, path), 'utf8') }] : []
  })
}

const tree = sources()
const rules: [name: string, rule: Rule][] = [
  ['rooms import one way', importFaults],
  ['files have their place and say what they are for', placeFaults],
  ['exports have names', exportFaults],
  ['nothing is put off', wordFaults],
  ['lines and files are short', sizeFaults],
  ['functions are short', functionFaults],
  ['hot files make no garbage', garbageFaults],
]
for (const [name, rule] of rules) {
  test(`the tree: ${name}`, t => t.deepEqual(tree.flatMap(rule), []))
}

test('the tree has been found', t => {
  t.true(tree.some(({ path }) => path === THIS_FILE))
  t.true(tree.some(({ text, path }) => isHot(text) && roomOf(path) === 'wire'))
})

test('every golden frame is named in a test of its own, besides the fuzzing', t => {
  const tests = tree.filter(({ path }) => /^wire\/.*\.test\.ts$/.test(path))
  const words = tests.map(({ text }) => text).join('\n')
  const files = readdirSync(posix.join(SRC, 'wire/vectors'))
  const names = files.map(file => posix.basename(file, '.hex'))
  t.deepEqual(names.filter(name => !words.includes(`'${name}'`)), [])
})

// ---- planted faults, and what must not be taken for one ----

const imports: [name: string, path: string, text: string, why: RegExp | undefined][] = [
  ['leftwards', 'path/a.ts', "import { a } from '../wire/ether.ts'", undefined],
  ['own room', 'kernel/netlink/a.ts', "import { a } from '../sys.ts'", undefined],
  ['upwards', 'wire/a.ts', "import { a } from '../path/b.ts'", /wire imports nothing/],
  ['upwards from base', 'base/log.ts', "import { a } from '../daemon/b.ts'", /left of daemon/],
  ['upwards over lines', 'kernel/a.ts', "import {\n  a,\n  b,\n} from '../path/b.ts'", /left of/],
  ['upwards by re-export', 'kernel/a.ts', "export { a } from '../path/b.ts'", /left of/],
  ['upwards by re-export of all', 'kernel/a.ts', "export * from '../path/b.ts'", /left of/],
  ['upwards at run time', 'kernel/a.ts', "const a = await import('../path/b.ts')", /left of/],
  ['upwards for a type', 'kernel/a.ts', "import type { A } from '../path/b.ts'", /left of/],
  ['upwards in an inline type', 'kernel/a.ts', "type A = import('../path/b.ts').A", /left of/],
  ['upwards behind others', 'kernel/a.ts', "import a from 'a'\nimport '../path/b.ts'", /left of/],
  ['upwards in a test', 'kernel/a.test.ts', "import { a } from '../path/b.ts'", undefined],
  ['in a comment', 'kernel/a.ts', "// import { a } from '../path/b.ts'", undefined],
  ['in a string', 'kernel/a.ts', 'const a = "import \'../path/b.ts\'"', undefined],
  ['wire, assert', 'wire/a.ts', "import { assert } from '../base/assert.ts'", undefined],
  ['wire, rest of base', 'wire/a.ts', "import { a } from '../base/text.ts'", /nothing but/],
  ['wire, Node', 'wire/a.ts', "import { a } from 'node:fs'", /wire imports nothing/],
  ['wire, Node in a test kit', 'wire/a.test-kit.ts', "import { a } from 'node:fs'", undefined],
  ['path, port', 'path/a.ts', "import type { A } from '../kernel/port.ts'", undefined],
  ['path, ring', 'path/a.ts', "import { a } from '../kernel/ring.ts'", undefined],
  ['path, tap', 'path/a.ts', "import { a } from '../kernel/tap.ts'", /only port\.ts and ring/],
  ['cluster, path', 'cluster/a.ts', "import { a } from '../path/a.ts'", /cluster knows neither/],
  ['cluster, kernel', 'cluster/a.ts', "import { a } from '../kernel/a.ts'", /cluster knows/],
  ['api, daemon', 'api/client.ts', "import { a } from '../daemon/a.ts'", /only server\.ts/],
  ['api, daemon for a type', 'api/a.ts', "import type { A } from '../daemon/a.ts'", undefined],
  ['api, daemon for a type inside', 'api/a.ts', "import { type A } from '../daemon/a.ts'", /only/],
  ['api, a value called type', 'api/a.ts', "import type from '../daemon/a.ts'", /only server/],
  ['routes, daemon', 'api/routes.ts', "import { a } from '../daemon/a.ts'", undefined],
  ['a namesake of routes', 'api/cli/routes.ts', "import { a } from '../../daemon/a.ts'", /only/],
  ['syscalls outside', 'daemon/a.ts', "import { a } from '../kernel/syscalls.ts'", /kernel alone/],
  ['syscalls inside', 'kernel/a.ts', "import { sys } from './syscalls.ts'", undefined],
  ['native package', 'daemon/a.ts', "import koffi from 'koffi'", /belong to kernel/],
  ['part of a native package', 'api/a.ts', "import a from 'netlink/lib/a.js'", /belong to kernel/],
  ['native package in kernel', 'kernel/a.ts', "import koffi from 'koffi'", undefined],
  ['native package, required', 'api/a.ts', "const cap = require('cap')", /belong to kernel/],
  ['native package in a test', 'api/a.test.ts', "import koffi from 'koffi'", /belong to kernel/],
  ['a package that only begins so', 'api/a.ts', "import a from 'capital'", undefined],
  ['http', 'api/a.ts', "import { request } from 'node:http'", /loads far more/],
  ['http beside a type', 'api/a.ts', "import { request, type Server } from 'http'", /far more/],
  ['http for a type', 'api/a.ts', "import type { Server } from 'node:http'", undefined],
  ['http in a test', 'api/a.test.ts', "import { request } from 'node:http'", undefined],
  ['no ending', 'path/a.ts', "import { a } from './b'", /ends in \.ts/],
  ['wrong ending', 'path/a.test.ts', "import { a } from './b.js'", /ends in \.ts/],
  ['outside', 'api/a.ts', "import { a } from '../../bench/a.ts'", /outside of src/],
  ['package.json', 'api/a.ts', "import a from '../../package.json' with { type: 'json' }",
    undefined],
]
for (const [name, path, text, why] of imports) {
  test(`import: ${name}`, t => {
    const faults = importFaults({ path, text })
    if (why === undefined) t.deepEqual(faults, [])
    else t.regex(faults.join('\n'), why)
  })
}

const HOT = '// hot: a snippet\n'
const garbages: [name: string, code: string, what: RegExp | undefined][] = [
  ['new', 'const a = new DataView(b)', /:2: new/],
  ['new in a throw', 'function f(): void {\n  throw new Error("a")\n}', /:3: new/],
  ['object, assigned', 'const a = { b: 1 }', /object/],
  ['object, empty', 'let a = {}', /object/],
  ['object, returned', 'function f() {\n  return { a: 1 }\n}', /:3: object/],
  ['object, argument', 'f({ a: 1 })', /object/],
  ['object, later argument', 'f(a, { a: 1 })', /object/],
  ['object, default', 'function f(a = {}) {}', /object/],
  ['object, either', 'const a = b ? { c: 1 } : 2', /object/],
  ['object, or', 'const a = b ? 2 : { c: 1 }', /object/],
  ['object, satisfying', 'const a = { b: 1 } as const satisfies { b: number }', /object/],
  ['array', 'const a = [1, 2]', /array/],
  ['array, empty and argument', 'f([])', /array/],
  ['array, returned', 'function f() {\n  return [a, b]\n}', /array/],
  ['array, pattern', 'const [a, b] = c', /array/],
  ['array, pattern after a block', '{\n}\n[a, b] = c', /array/],
  ['template', 'const a = `b`', /template/],
  ['template, with a value', 'log(`a ${b} c`)', /template/],
  ['spread, arguments', 'f(...a)', /spread/],
  ['rest', 'function f(...a: number[]) {}', /spread/],
  ['arrow', 'const f = (a: number) => a', /arrow/],
  ['arrow, argument', 'a.forEach(b => b)', /arrow/],
  ['closure', 'const f = function () {}', /closure/],
  ['closure, argument', 'f(function () {})', /closure/],
  ['closure, async', 'const f = async function () {}', /closure/],
  ['closure, named and inside', 'function f() {\n  function g() {}\n}', /:3: closure/],
  ['for of', 'function f(a: number[]) {\n  for (const b of a) c(b)\n}', /for…of/],
  ['for of, a pattern', 'for (const { b } of a) c(b)', /for…of/],
  ['for await', 'for await (const b of a) c(b)', /for…of/],
  ['regular expression', 'const a = /b/.test(c)', /regular/],
  ['constructor outside of a class', 'const a = b\nconstructor(c)\n{\n  f([])\n}', /array/],
  ['field, run later', 'class A {\n  b = (c: number) => [c]\n}', /:3: array/],
  ['field, body run later', 'class A {\n  b = f(() => {\n    return new B()\n  })\n}', /:4: new/],
  ['field, function run later', 'class A {\n  b = function () {\n    g(`c`)\n  }\n}', /:4: temp/],
  ['method after a field', 'class A {\n  #b = 1\n  c() {\n    return [1]\n  }\n}', /:5: array/],
  ['default after a field', 'class A {\n  b = 1\n  c(d = {}) {\n  }\n}', /:4: object/],
  ['getter after a field', 'class A {\n  b = f(1)\n  get c() {\n    return {}\n  }\n}', /:5: obj/],
  ['method after a constructor', 'class A {\n  constructor() {\n  }\n  b() {\n    return new C()\n'
    + '  }\n}', /:6: new/],
  ['assignment in a method', 'class A {\n  b() {\n    this.c = []\n  }\n}', /:4: array/],
  ['after a maker', 'function makeA() {\n  return []\n}\nconst a = []', /:5: array/],
  ['before a maker', 'const a = {}\nfunction makeA() {}', /:2: object/],
  ['in what only sounds like a maker', 'function maker() {\n  return []\n}', /array/],

  ['maker', 'export function makeRing(a = {}): { b: Uint8Array } {\n'
    + '  const b = [...c].map(d => ({ d }))\n  for (const e of b) f(`${e}`)\n'
    + '  return { b: new Uint8Array(1) }\n}', undefined],
  ['maker, method', 'class A {\n  makeB(): number[] {\n    return [1]\n  }\n}', undefined],
  ['maker, private', 'class A {\n  #makeB() {\n    return [1]\n  }\n}', undefined],
  ['constructor', 'class A {\n  constructor(a: number[]) {\n    this.#b = [...a]\n    if (a[0]) '
    + '{\n      throw new B(`c`, { a })\n    }\n  }\n}', undefined],
  ['fields', 'class A {\n  readonly b = new Int32Array(C)\n  #d: number[] = [\n    1,\n  ]\n'
    + '  static e = f({ g: 1 })\n    + h(`i`)\n  j = (k: number) => k\n}', undefined],
  ['type', 'type A = { b: [number, string]; c: () => `d${string}` }', undefined],
  ['type, exported over lines', 'export type A = Readonly<{\n  b: number[]\n}>', undefined],
  ['interface', 'export interface A {\n  b(c: { d: number }): [number]\n}', undefined],
  ['type in a signature', 'function f(a: { b: 1 }, c: [d: 1]): { e: 1 } {\n  return a.b\n}',
    undefined],
  ['type, cast', 'const a = b as unknown as [number, { c: 1 }]', undefined],
  ['type, of a function', 'function f(a: (b: number) => void): void {\n  a(1)\n}', undefined],
  ['imports', "import { a } from './a.ts'\nimport type { B } from './b.ts'", undefined],
  ['default and named import', "import a, { b } from './a.ts'", undefined],
  ['exports', 'const a = 1\nexport { a }', undefined],
  ['index', 'a[0] = b[c[1]]! + d()[2] + e?.[3]', undefined],
  ['index of what may be missing', 'plane.counters[COUNT]! += 1', undefined],
  ['bodies', 'if (a) {\n} else {\n}\nfor (;;) {\n}\nwhile (a) {\n}\ndo {\n} while (a)', undefined],
  ['try', 'try {\n  f()\n} catch {\n  g()\n} finally {\n  h()\n}', undefined],
  ['catch', 'try {\n} catch (error) {\n}', undefined],
  ['cases', 'switch (a) {\n  case 1: {\n    break\n  }\n  default: {\n    b()\n  }\n}', undefined],
  ['function', 'export function f(): void {\n}\nfunction g(): void {\n}', undefined],
  ['function after a constant', 'const a = 1\nfunction g(): void {\n}', undefined],
  ['class', 'export class A extends B.C {\n  d = 1\n  e(): void {\n  }\n}', undefined],
  ['object pattern', 'const { a, b } = c', undefined],
  ['comments', '// new {} [] `a` ...b => for (const c of d)\n/* [] */ /** new */', undefined],
  ['strings', "assert(a, 'new [] {} `` => ...')", undefined],
  ['division', 'const a = b / c / d', undefined],
  ['words that only contain one', 'renew(newest, offset.of, a.new)', undefined],
]
for (const [name, code, what] of garbages) {
  test(`hot: ${name}`, t => {
    const faults = garbageFaults({ path: 'path/a.ts', text: HOT + code })
    if (what === undefined) t.deepEqual(faults, [])
    else t.regex(faults.join('\n'), what)
  })
}

test('only hot files are held to it, and not their tests', t => {
  const text = 'const a = new A([{}])'
  t.deepEqual(garbageFaults({ path: 'path/a.ts', text }), [])
  t.deepEqual(garbageFaults({ path: 'path/a.test.ts', text: HOT + text }), [])
  t.is(garbageFaults({ path: 'path/a.ts', text: HOT + text }).length, 3)
})

/** A function or more of `lines` lines. */
const long = (head: string, lines: number, tail = '}') => {
  return `${head}\n${'  a()\n'.repeat(lines - 2)}${tail}`
}
const spans: [name: string, code: string, faults: string[]][] = [
  ['longest allowed', long('function f() {', 60), []],
  ['declared', long('function f() {', 61), ['a.ts:1: f has 61 lines']],
  ['exported, with types', long('export function f(a: {\n  b: 1 }): { c: 1 } {', 60),
    ['a.ts:1: f has 61 lines']],
  ['generator', long('function* f() {', 61), ['a.ts:1: f has 61 lines']],
  ['method', long('class A {\n  async b(): Promise<void> {', 61, '}}'), ['a.ts:2: b has 61 lines']],
  ['constructor', long('class A {\n  constructor(a: number) {', 61, '}}'),
    ['a.ts:2: constructor has 61 lines']],
  ['arrow', long('const f = (a: number): void => {', 61), ['a.ts:1: a function has 61 lines']],
  ['callback', long('test("a", async t => {', 61, '})'), ['a.ts:1: a function has 61 lines']],
  ['the outer of two', long('function f() {\n  const g = () => {\n  }', 60),
    ['a.ts:1: f has 62 lines']],
  ['a block is none', long('if (a) {', 100), []],
  ['an object is none', long('const a = {', 100).replaceAll('a()', 'a:1,'), []],
  ['braces in strings and templates', long('function f() { g("}", `}${{}}`)', 61),
    ['a.ts:1: f has 61 lines']],
]
for (const [name, text, faults] of spans) {
  test(`length of a function: ${name}`, t => {
    t.deepEqual(functionFaults({ path: 'a.ts', text }), faults)
  })
}

const others: [name: string, rule: Rule, path: string, text: string, why: RegExp | undefined][] = [
  ['100 columns', sizeFaults, 'path/a.ts', 'é'.repeat(100), undefined],
  ['101 columns', sizeFaults, 'path/a.ts', 'a\n' + 'b'.repeat(101), /a\.ts:2: 101 columns/],
  ['101 columns in a test', sizeFaults, 'path/a.test.ts', 'b'.repeat(101), /101 columns/],
  ['250 lines', sizeFaults, 'path/a.ts', 'a\n'.repeat(250), undefined],
  ['251 lines', sizeFaults, 'path/a.ts', 'a\n'.repeat(251), /251 lines/],
  ['251 lines of a test', sizeFaults, 'path/a.test.ts', 'a\n'.repeat(251), undefined],
  ['to do', wordFaults, 'path/a.ts', 'a\n// TODO b', /a\.ts:2: "TODO"/],
  ['to fix', wordFaults, 'path/a.ts', '// FIXME', /FIXME/],
  ['three crosses', wordFaults, 'path/a.ts', '// XXX', /XXX/],
  ['template of a name', wordFaults, 'path/a.ts', "mkdtemp('aXXXXXX')", undefined],
  ['stub', wordFaults, 'path/a.ts', "throw new Error('Not implemented')", /Not implemented/],
  ['confession', wordFaults, 'path/a.ts', '// a simplified parser', /simplified/],
  ['default export', exportFaults, 'path/a.ts', 'export default function f() {}', /default export/],
  ['default by name', exportFaults, 'path/a.ts', 'export { a as default }', /default export/],
  ['default of a switch', exportFaults, 'path/a.ts', 'switch (a) { default: b() }', undefined],
  ['prefix', exportFaults, 'path/a.ts', 'interface IPort {}', /interface named I/],
  ['no prefix', exportFaults, 'path/a.ts', 'interface Image {}', undefined],
  ['index', placeFaults, 'path/index.ts', '// a', /no index\.ts/],
  ['utils', placeFaults, 'path/string-utils.ts', '// a', /name it after/],
  ['tenth file of base', placeFaults, 'base/more.ts', '// a', /closed list/],
  ['ninth file of base', placeFaults, 'base/ring-buffer.ts', '// a', undefined],
  ['test in base', placeFaults, 'base/more.test.ts', '// a', undefined],
  ['unknown room', placeFaults, 'attic/a.ts', '// a', /in no room/],
  ['no room', placeFaults, 'a.ts', '// a', /in no room/],
  ['nothing said', placeFaults, 'path/a.ts', 'const a = 1', /opens without saying/],
]
for (const [name, rule, path, text, why] of others) {
  test(`${rule.name}: ${name}`, t => {
    const faults = rule({ path, text })
    if (why === undefined) t.deepEqual(faults, [])
    else t.regex(faults.join('\n'), why)
  })
}
