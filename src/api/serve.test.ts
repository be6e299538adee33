// The life of the daemon's process, with a daemon that only tells what it is told.
import test, { type ExecutionContext } from 'ava'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeClient } from './client.ts'
import { until } from './control.test-kit.ts'

const STOP_TIMEOUT_MS = 300
const URLS = { serve: './serve.ts', kit: './control.test-kit.ts' }
const [serveUrl, kitUrl] = Object.values(URLS).map(path => new URL(path, import.meta.url).href)
/** How the daemon starts and stops: "well", "badly", "never", "late": at the second signal. */
const SCRIPT = `
import { serve } from '${serveUrl}'
import { makeFake } from '${kitUrl}'
const [configPath, starts, stops] = process.argv.slice(1)
const say = text => process.stderr.write(text + '\\n')
const failed = new Promise(resolve => process.on('SIGUSR2', () => resolve(new Error('ring broke'))))
const stop = async () => {
  say('daemon stop')
  const timer = setInterval(() => {}, 1000)
  if (stops === 'never') await new Promise(() => {})
  if (stops === 'late') await new Promise(resolve => process.once('SIGTERM', resolve))
  clearInterval(timer)
}
const start = async () => {
  if (starts === 'badly') throw new Error('no TAP here')
  const reload = config => say('daemon reload ' + config.log.level)
  return { control: makeFake('/none').control, reload, stop, failed, alive: async () => {} }
}
try {
  await serve(configPath, start, stops === 'never' ? ${STOP_TIMEOUT_MS} : 10_000)
} catch (error) {
  say('thrown ' + error.message)
  process.exitCode = 1
}`

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tapmesh-serve-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function daemon(t: ExecutionContext, starts = 'well', stops = 'well', shared?: string) {
  const folder = shared ?? await folderOf(t)
  const config = join(folder, 'tapmesh.yaml')
  const configure = (extra: string) => writeFile(config,
    `paths: { run: ${folder}, state: ${folder} }\nnode: { name: node7 }\n${extra}`)
  await configure('')
  const argv = ['--input-type=module', '-e', SCRIPT, config, starts, stops]
  const child = spawn(process.execPath, argv)
  t.teardown(() => child.kill('SIGKILL'))
  const seen = { log: '', said: '' }
  child.stdout.setEncoding('utf8').on('data', text => (seen.log += text))
  child.stderr.setEncoding('utf8').on('data', text => (seen.said += text))
  const ended = new Promise<number | null>(resolve => child.on('close', resolve))
  const socketPath = join(folder, 'tapmesh.sock')
  const pidFile = join(folder, 'tapmesh.pid')
  const ready = () => until(() => seen.log.includes('API ready'), 'the daemon')
  return { child, seen, ended, socketPath, pidFile, configure, ready }
}

test('it answers, writes its pid, and SIGTERM leaves nothing behind', async t => {
  const { child, seen, ended, socketPath, pidFile, ready } = await daemon(t)
  await ready()
  t.is(readFileSync(pidFile, 'utf8'), `${child.pid}\n`)
  t.is((await makeClient({ socketPath }).status()).pid, child.pid ?? 0)
  t.is((await stat(socketPath)).mode & 0o777, 0o660)
  child.kill('SIGTERM')
  t.is(await ended, 0)
  t.is(seen.said, 'daemon stop\n')
  t.false(existsSync(pidFile))
  t.false(existsSync(socketPath))
})

test('a second SIGTERM does not cut the stop short', async t => {
  const { child, seen, ended, pidFile, ready } = await daemon(t, 'well', 'late')
  await ready()
  child.kill('SIGTERM')
  await until(() => seen.said.includes('daemon stop'), 'the stop')
  child.kill('SIGTERM')
  t.is(await ended, 0)
  t.is(seen.said, 'daemon stop\n')
  t.false(existsSync(pidFile))
})

test('SIGHUP reads the configuration again, and a wrong one changes nothing', async t => {
  const { child, seen, configure, ready } = await daemon(t)
  await ready()
  await configure('log: { level: debug }\n')
  child.kill('SIGHUP')
  await until(() => seen.said.includes('daemon reload debug'), 'the reload')
  await configure('log: { level: loud }\n')
  child.kill('SIGHUP')
  await until(() => seen.log.includes('configuration not changed'), 'the refusal')
  t.is(seen.said, 'daemon reload debug\n')
  t.is(child.exitCode, null)
})

test('a daemon that does not stop is left behind in time', async t => {
  const { child, seen, ended, ready } = await daemon(t, 'well', 'never')
  await ready()
  child.kill('SIGINT')
  t.is(await ended, 1)
  t.regex(seen.log, /not stopped in time/)
})

test('a daemon that cannot go on is stopped, and the reason thrown', async t => {
  const { child, seen, ended, pidFile, ready } = await daemon(t)
  await ready()
  child.kill('SIGUSR2')
  t.is(await ended, 1)
  t.is(seen.said, 'daemon stop\nthrown ring broke\n')
  t.false(existsSync(pidFile))
})

test('a daemon that cannot start leaves no socket and no pid file', async t => {
  const { seen, ended, pidFile, socketPath } = await daemon(t, 'badly')
  t.is(await ended, 1)
  t.is(seen.said, 'thrown no TAP here\n')
  t.false(existsSync(pidFile) || existsSync(socketPath))
})

test('nothing is started while another daemon answers', async t => {
  const folder = await folderOf(t)
  const first = await daemon(t, 'well', 'well', folder)
  await first.ready()
  const second = await daemon(t, 'badly', 'well', folder)
  t.is(await second.ended, 1)
  t.regex(second.seen.said, /^thrown another daemon \(node1, pid \d+\) answers on .*; stop it/)
  t.is(readFileSync(first.pidFile, 'utf8'), `${first.child.pid}\n`)
})
