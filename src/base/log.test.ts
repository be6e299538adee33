// Logs as a service manager and as people get them.
import test from 'ava'
import { execFile } from 'node:child_process'
import { promisify, stripVTControlCharacters as plain } from 'node:util'

const LOG = new URL('log.ts', import.meta.url).href

/** What a process writes that logs two sentences, below "info" the first. */
async function written(format: string): Promise<string[]> {
  const program = `import { makeLog } from '${LOG}'
    const log = await makeLog({ level: 'info', format: '${format}' }, 'node1')
    log.debug('not told')
    log.info({ port: 4789 }, 'daemon ready')
    process.kill(process.pid, 'SIGKILL')`
  const { stdout } = await promisify(execFile)(process.execPath,
    ['--input-type=module', '-e', program], { encoding: 'utf8' })
    .catch((error: { signal: string; stdout: string }) => {
      if (error.signal !== 'SIGKILL') throw error
      return error
    })
  return stdout.trim().split('\n')
}

for (const format of ['json', 'auto']) {
  test(`${format} without a terminal: a line of JSON, there even if we die next`, async t => {
    const [line = '', ...more] = await written(format)
    t.deepEqual(more, [])
    const { time, ...facts } = JSON.parse(line) as Record<string, unknown>
    t.deepEqual(facts, { level: 30, node: 'node1', port: 4789, msg: 'daemon ready' })
    t.true(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000)
  })
}

test('pretty: the time of day, the sentence, and facts below it', async t => {
  const [first = '', ...facts] = await written('pretty')
  t.regex(plain(first), /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: daemon ready$/)
  t.deepEqual(facts.map(line => plain(line).trim()), ['port: 4789'])
})
