// Runs the command line for tests as its users have it: a child process, in front of a daemon that
// is only memory.
import type { ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { serveFake } from '../control.test-kit.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
/** As bin/tapmesh has it: what the TypeScript becomes is kept from start to start. */
const COMPILED = fileURLToPath(new URL('../../../node_modules/.cache/compile', import.meta.url))
/** For one process, and for what a test waits for. */
export const DEADLINE_MS = 60_000
/** All at once, the processes would only wait for each other; a few of them run for long. */
const AT_ONCE = 6

export type Ended = { code: number | null; stdout: string; stderr: string }

/** Starts `tapmesh` with these words; it is killed at the end of the test. */
export function start(t: ExecutionContext, words: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [MAIN, ...words],
    { env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, ...env } })
  const seen: Ended = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => (seen.stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (seen.stderr += text))
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  const ended = new Promise<Ended>(resolve => child.on('close', code => {
    clearTimeout(timer)
    resolve({ ...seen, code })
  }))
  t.teardown(() => child.kill('SIGKILL'))
  return { child, seen, ended }
}

const turns: (() => void)[] = []
let running = 0

/** Runs `tapmesh` to its end, a few at a time. */
export async function cli(
  t: ExecutionContext, words: string[], env?: NodeJS.ProcessEnv,
): Promise<Ended> {
  if (running >= AT_ONCE) await new Promise<void>(resolve => turns.push(resolve))
  else running++
  try {
    return await start(t, words, env).ended
  } finally {
    const next = turns.shift()
    if (next === undefined) running--
    else next()
  }
}

/** A daemon with the network "mynet" and the running task "web", and the words that lead to it. */
export async function lab(t: ExecutionContext) {
  const fake = await serveFake()
  t.teardown(fake.close)
  await fake.client.createNetwork({ name: 'mynet' })
  const body = { name: 'web', networks: [{ network: 'mynet' }], command: ['sleep', '600'] }
  await fake.client.runTask(body)
  const run = (...words: string[]) => cli(t, ['--socket', fake.socketPath, ...words])
  return { ...fake, run }
}
