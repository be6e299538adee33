// The house rules for any file: which room may import which, where files stand and what they are
// called, how wide and high code may be.
import { posix } from 'node:path'
import { codeOf, isMark, isWord, type Token, tokensOf } from './tidy-code.test-kit.ts'

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
/** The only files that stand in no room, */
const HOUSE_FILES = [
  'tidy.test.ts', 'tidy-code.test-kit.ts', 'tidy-garbage.test-kit.ts', 'tidy-rules.test-kit.ts',
]
/** and those of them that have to name the banned words. */
const WORD_FILES = ['tidy.test.ts', 'tidy-rules.test-kit.ts']

/** `path` is relative to src/, with slashes. */
export type Source = Readonly<{ path: string; text: string }>
export type Rule = (source: Source) => string[]

// ---- imports ----

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

export function isTest(path: string): boolean {
  return /\.test(?:-kit)?\.ts$/.test(path)
}

export function roomOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : ''
}

export function importFaults({ path, text }: Source): string[] {
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

// ---- names and sizes ----

export function placeFaults({ path, text }: Source): string[] {
  const name = posix.basename(path, '.ts')
  const room = roomOf(path)
  const faults: string[] = []
  if (!HOUSE_FILES.includes(path) && !ROOMS.includes(room)) faults.push('is in no room')
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

export function exportFaults({ path, text }: Source): string[] {
  const tokens = tokensOf(text)
  return tokens.flatMap((token, i) => {
    const isDefault = isWord(token, 'default')
      && (isWord(tokens[i - 1], 'export') || isWord(tokens[i - 1], 'as'))
    if (isDefault) return [`${path}:${token.line}: default export`]
    const isPrefixed = isWord(tokens[i - 1], 'interface') && /^I[A-Z]/.test(token.text)
    return isPrefixed ? [`${path}:${token.line}: interface named I…`] : []
  })
}

export function wordFaults({ path, text }: Source): string[] {
  if (WORD_FILES.includes(path)) return []
  return text.split('\n').flatMap((line, i) => {
    const word = BANNED_WORDS.exec(line)?.[0]
    return word === undefined ? [] : [`${path}:${i + 1}: "${word}"`]
  })
}

export function sizeFaults({ path, text }: Source): string[] {
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

export function functionFaults({ path, text }: Source): string[] {
  const { tokens, functions } = codeOf(text)
  return functions.flatMap(({ name, from, to }) => {
    const start = tokens[from]!.line
    const lines = tokens[to]!.line - start + 1
    const what = name === '' ? 'a function' : name
    return lines > FUNCTION_LINES_MAX ? [`${path}:${start}: ${what} has ${lines} lines`] : []
  })
}
