// Runs the checks one after the other, adds up what they say, and ends with one line of sums.
import { spawn } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { TapReader } from './tap.ts'
import type { Result, Style } from './tap.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const COMPILED = join(ROOT, 'node_modules', '.cache', 'compile')
const TYPES_MAX_MS = 5 * 60_000
const UNIT_MAX_MS = 15 * 60_000
const NATIVE_MAX_MS = 30 * 60_000
/** A line of a native test that mostly waits and measures nothing: others may run beside it. */
const BESIDE = /^\/\/ May run beside another test(?:; takes long)?\.$/m
/** Those begin first, so that none of them is left alone at the end. */
const LONG = /^\/\/ May run beside another test; takes long\.$/m
/** Each keeps a third to a half of a processor busy. */
const BESIDE_JOBS = 3
const STDERR_SHOWN_LINES = 100
/** How node-tap ends a file; times of tests inside are further in. */
const FILE_TIME = /^(?:not )?ok \d+ - (\S+) # time=([\d.]+)ms/
const SLOWEST_SHOWN = 10
const SKIPS_ALLOWED = join(ROOT, 'native-tests', 'SKIPS-ALLOWED')

type Stage = 'types' | 'unit' | 'native' | 'package'
type Ended = Readonly<{ code: number | null; late: boolean; stderr: string }>

const STAGES: readonly Stage[] = ['types', 'unit', 'native', 'package']
/** Those that are run when none is named: packages are built and installed on request only. */
const USUAL_STAGES: readonly Stage[] = ['types', 'unit', 'native']
const FILES = {
  unit: 'src/**/*.test.ts',
  native: 'native-tests/*.test.ts',
  package: 'native-tests/package/*.test.ts',
}

/**
 * Runs a program of node_modules, each line of its output going to `onLine`. Of the folders there
 * only the one of Node is on the PATH: among npm's programs is another `nft`, and tests need the
 * real one.
 */
function run(argv: readonly string[], maxMs: number, onLine: (line: string) => void) {
  const [program = '', ...words] = argv
  const path = `${dirname(process.execPath)}:${process.env['PATH']}`
  const child = spawn(join(ROOT, 'node_modules', '.bin', program), words, {
    cwd: ROOT,
    // Each test file is a process, and most of them load the same files: compiled once is enough.
    env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, PATH: path, FORCE_COLOR: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: maxMs,
  })
  const startedMs = Date.now()
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
  createInterface({ input: child.stdout }).on('line', onLine)
  return new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => {
      const late = code !== 0 && Date.now() - startedMs >= maxMs
      const shown = stderr.split('\n').slice(-STDERR_SHOWN_LINES)
      resolve({ code, late, stderr: shown.join('\n').trim() })
    })
  })
}

async function checkTypes(): Promise<Result[]> {
  const lines: string[] = []
  const argv = ['tsc', '--noEmit', '--pretty', 'false']
  const ended = await run(argv, TYPES_MAX_MS, line => lines.push(line))
  const outcome = ended.code === 0 ? 'passed' : 'failed'
  return [{ name: 'types', outcome, text: [...lines, ended.stderr].join('\n').trim() }]
}

async function runTests(stage: Stage, argv: string[], style: Style, maxMs: number) {
  const results: Result[] = []
  const reader = new TapReader(style, result => {
    results.push(stage === 'unit' ? result : { ...result, name: nativeName(result.name) })
    if (stage !== 'unit') showLine(results.at(-1)!)
  })
  const files: [name: string, seconds: number][] = []
  const ended = await run(argv, maxMs, line => {
    const [, file, ms] = FILE_TIME.exec(line) ?? []
    if (file !== undefined) files.push([nativeName(file), Number(ms) / 1000])
    reader.line(line)
  })
  reader.end()
  showSlowest(files)
  const told = results.some(result => result.outcome === 'failed')
  if (ended.late) results.push(failed(stage, `took longer than ${maxMs / 1000} s`, ended.stderr))
  else if (results.length === 0) results.push(failed(stage, 'ran no test', ended.stderr))
  else if (ended.code !== 0 && !told) {
    results.push(failed(stage, `ended with exit code ${ended.code}`, ended.stderr))
  }
  return results
}

function failed(stage: Stage, what: string, stderr: string): Result {
  return { name: stage, outcome: 'failed', text: `${what}\n${stderr}`.trim() }
}

function nativeName(name: string): string {
  return name.replace(/^native-tests\//, '')
}

function showLine(result: Result): void {
  const why = result.outcome === 'skipped' ? `: ${result.text}` : ''
  console.log(`  ${result.outcome.padEnd(8)} ${result.name}${why}`)
}

/** Where to look when a run takes too long. */
function showSlowest(files: readonly (readonly [name: string, seconds: number])[]): void {
  if (files.length <= SLOWEST_SHOWN) return
  const slowest = files.toSorted((a, b) => b[1] - a[1]).slice(0, SLOWEST_SHOWN)
  console.log(`  slowest: ${slowest.map(([name, s]) => `${name} ${s.toFixed(0)} s`).join(', ')}`)
}

function filesOf(pattern: string, filters: readonly string[]): string[] {
  const all = globSync(pattern, { cwd: ROOT }).sort()
  if (filters.length === 0) return all
  return all.filter(file => filters.some(filter => join(ROOT, file).includes(filter)))
}

async function runStage(stage: Stage, filters: readonly string[]): Promise<Result[]> {
  if (stage === 'types') return checkTypes()
  const files = filesOf(FILES[stage], filters)
  if (filters.length > 0 && files.length === 0) return []
  if (stage === 'unit') {
    return runTests('unit', ['ava', '--tap', '--timeout=3m', ...files], 'flat', UNIT_MAX_MS)
  }
  const lacks = process.env['TEST_LACKS'] ?? ''
  if (lacks !== '') {
    const skipped = files.map(file => (
      { name: nativeName(file), outcome: 'skipped', text: lacks } as const))
    skipped.forEach(showLine)
    return skipped
  }
  const saying = (words: RegExp) =>
    files.filter(file => words.test(readFileSync(join(ROOT, file), 'utf8')))
  const beside = [...new Set([...saying(LONG), ...saying(BESIDE)])]
  const alone = files.filter(file => !beside.includes(file))
  return [...await runTap(stage, beside, BESIDE_JOBS), ...await runTap(stage, alone, 1)]
}

async function runTap(stage: Stage, files: readonly string[], jobs: number): Promise<Result[]> {
  if (files.length === 0) return []
  const argv = ['tap', '--reporter', 'tap', `--jobs=${jobs}`, ...files]
  return runTests(stage, argv, 'nested', NATIVE_MAX_MS)
}

/** Names that may be skipped in CI. A line is "NAME -- REASON"; "#" begins a comment. */
function allowedSkips(): Set<string> {
  if (!existsSync(SKIPS_ALLOWED)) return new Set()
  const lines = readFileSync(SKIPS_ALLOWED, 'utf8').split('\n').map(line => line.trim())
  const named = lines.filter(line => line !== '' && !line.startsWith('#')).map(line => {
    const [name = '', reason = ''] = line.split(' -- ')
    if (reason.trim() === '') throw new Error(`${SKIPS_ALLOWED}: no reason after " -- ": ${line}`)
    return name.trim()
  })
  return new Set(named)
}

function judgeSkips(results: readonly Result[]): Result[] {
  if (process.env['CI'] !== 'true') return [...results]
  const allowed = allowedSkips()
  return results.map(result => {
    if (result.outcome !== 'skipped' || allowed.has(result.name)) return result
    const text = `skipped in CI and not named in native-tests/SKIPS-ALLOWED: ${result.text}`
    return { name: result.name, outcome: 'failed', text }
  })
}

function sums(results: readonly Result[]): string {
  const count = (outcome: string) => results.filter(r => r.outcome === outcome).length
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`
}

function usageError(message: string): never {
  console.error(`test: ${message}; see scripts/test --help`)
  process.exit(2)
}

async function main(words: readonly string[]): Promise<void> {
  const named = STAGES.filter(stage => words.includes(`--${stage}`))
  const filters = words.filter(word => !STAGES.some(stage => word === `--${stage}`))
  const strange = filters.find(word => word.startsWith('-'))
  if (strange !== undefined) usageError(`unknown option "${strange}"`)
  const wanted = named.length > 0 ? named
    : USUAL_STAGES.filter(stage => stage !== 'types' || filters.length === 0)
  const patterns = wanted.map(stage => stage === 'types' ? FILES.unit : FILES[stage])
  if (filters.length > 0 && patterns.every(pattern => filesOf(pattern, filters).length === 0)) {
    usageError(`no test file's path holds "${filters.join('" or "')}"`)
  }
  const results: Result[] = []
  for (const stage of wanted) {
    if (stage === 'native' || stage === 'package') console.log(`${stage}:`)
    const startedMs = Date.now()
    const found = judgeSkips(await runStage(stage, filters))
    results.push(...found)
    console.log(`${stage}: ${sums(found)} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`)
  }
  for (const { name, outcome, text } of results) {
    if (outcome === 'failed') console.log(`\nFAILED ${name}\n${text.replace(/^/gm, '  ')}`)
  }
  console.log(`\n${sums(results)}`)
  process.exitCode = results.some(result => result.outcome === 'failed') ? 1 : 0
}

await main(process.argv.slice(2))
