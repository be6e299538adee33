// Programs as they are started for tasks: what they get, and how their end is noticed.
import test from 'ava'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processStart } from './processes.ts'
import { spawnProgram } from './spawn.ts'

/** A child keeps nobody alive who waits for it, so its end is waited for with a deadline. */
async function over(ended: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error('the program does not end')), 30_000)
  await Promise.race([ended, late.promise]).finally(() => clearTimeout(timer))
}

/** Run a script in a folder of its own to its end. @returns what it wrote */
async function outputOf(script: string, env: Record<string, string> = {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tapmesh-spawn-'))
  const output = openSync(join(folder, 'output'), 'a')
  try {
    const { ended } = spawnProgram({
      argv: ['/bin/sh', '-c', script], env: { PATH: '/usr/bin:/bin', ...env }, cwd: folder, output,
    })
    await over(ended)
    return readFileSync(join(folder, 'output'), 'utf8').trim()
  } finally {
    closeSync(output)
    rmSync(folder, { recursive: true })
  }
}

test('stdout and stderr are one file, and nothing comes in', async t => {
  t.is(await outputOf('echo out; echo err >&2; cat; echo end'), 'out\nerr\nend')
})

test('environment and folder are those that were asked for', async t => {
  const words = await outputOf('echo "$A"; tr "\\0" "\\n" </proc/$$/environ; pwd', { A: 'b c' })
  t.regex(words, /^b c\nPATH=\/usr\/bin:\/bin\nA=b c\n\/.*tapmesh-spawn-/)
})

test('it leads a session, and has no descriptor of ours but the one of its life', async t => {
  const ours = openSync('/proc/self/comm', 'r')
  const script = 'test "$(ps -o sid= -p $$)" -eq $$ && echo leads; readlink /proc/$$/fd/*'
  const lines = (await outputOf(script)).split('\n')
  closeSync(ours)
  t.is(lines[0], 'leads')
  t.true(lines[1]!.endsWith('/dev/null'))
  t.regex(lines.find(line => line.startsWith('pipe:')) ?? '', /^pipe:/)
  t.deepEqual(lines.filter(line => line.endsWith('/comm')), [])
})

test('signals are as usual: what Node ignores ends it', async t => {
  t.is(await outputOf('grep -E "^Sig(Blk|Ign)" /proc/$$/status | cut -f2 | sort -u'),
    '0000000000000000')
})

test('its end is noticed when it is over, not when its children are, and it leaves no zombie',
  async t => {
    const folder = tmpdir()
    const output = openSync('/dev/null', 'w')
    const { pid, ended } = spawnProgram({
      argv: ['/bin/sh', '-c', 'sleep 20 3>&- & echo $! >"$FILE"; exit 3'], cwd: folder, output,
      env: { PATH: '/usr/bin:/bin', FILE: join(folder, `tapmesh-child-${process.pid}`) },
    })
    closeSync(output)
    await over(ended)
    t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    const file = join(folder, `tapmesh-child-${process.pid}`)
    const child = Number(readFileSync(file, 'utf8'))
    t.not(processStart(child), null)
    process.kill(child)
    rmSync(file)
  })

test('what cannot be started is said', t => {
  const spec = { env: {}, cwd: '/', output: 1 }
  t.throws(() => spawnProgram({ ...spec, argv: ['/no/such'] }),
    { message: /posix_spawn.*\/no\/such.*ENOENT/ })
  t.throws(() => spawnProgram({ ...spec, argv: ['/bin/true'], cwd: '/no/such' }),
    { message: /ENOENT/ })
})
