// What the Tab key gives: from the tree of commands, from a daemon, and in a real bash.
import test from 'ava'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS, lab } from './cli.test-kit.ts'
import { completionsOf } from './completion.ts'
import { COMPLETION_SCRIPTS } from './completion-scripts.ts'
import { makeWholeProgram } from './main.ts'

const BIN = fileURLToPath(new URL('../../../bin', import.meta.url))
const program = await makeWholeProgram()
const valuesAt = async (...words: string[]): Promise<string[]> =>
  (await completionsOf(program, words)).map(({ value }) => value)

const rows: [words: string[], values: string[]][] = [
  [['netw'], ['network']],
  [['network', 'c'], ['create', 'connect']],
  [['network', 'ls', '--no'], ['--no-trunc']],
  [['network', 'ls', '--format', ''], ['table', 'json']],
  [['network', 'ls', '--format', 'json', '--q'], ['--quiet']],
  [['network', 'create', '--att'], ['--attachable', '--attachable=false']],
  [['network', 'create', '-d', 'o'], ['overlay']],
  [['network', 'create', ''], []],
  [['join-token', ''], ['worker', 'manager']],
  [['completion', ''], ['bash', 'zsh', 'fish']],
  [['node', 'update', '--availability', 'd'], ['drain']],
  [['run', '--', 'sleep', '--'], []],
  [['run', 'sleep', '--r'], []],
  [['__comp'], []],
  [['none', 'such'], []],
]
for (const [words, values] of rows) {
  test(`Tab after "${words.join(' ')}"`, async t => t.deepEqual(await valuesAt(...words), values))
}

test('all commands have a word of explanation', async t => {
  const found = await completionsOf(program, [''])
  t.true(found.length > 20)
  for (const { value, says } of found) t.not(says, '', value)
})

test('names come from the daemon', async t => {
  const { socketPath } = await lab(t)
  const at = (...words: string[]) => valuesAt('--socket', socketPath, ...words)
  t.deepEqual(await at('network', 'rm', ''), ['mynet'])
  t.deepEqual(await at('run', '--network', 'my'), ['mynet'])
  t.deepEqual(await at('network', 'connect', 'mynet', 'w'), ['web'])
  t.deepEqual(await at('node', 'rm', 'node1', 'node'), ['node1', 'node2'])
  t.deepEqual(await at('stop', ''), ['web'])
  t.deepEqual(await at('exec', 'w'), ['web'])
  t.deepEqual(await at('exec', 'web', 'w'), [])
  t.deepEqual(await at('cluster', 'tables', ''), ['network'])
})

test('without a daemon there are no names, and no error', async t => {
  t.deepEqual(await valuesAt('--socket', '/tmp/no-such.sock', 'network', 'rm', ''), [])
})

/** What a bash that has read our script would put at the cursor. */
async function bash(words: string[]): Promise<string> {
  const script = `${COMPLETION_SCRIPTS['bash']}
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _tapmesh && printf '%s\\n' "\${COMPREPLY[@]}"`
  // bash takes a socket for a login from elsewhere, and reads its files if no shell is above.
  const child = spawn('bash', ['--norc', '-uc', script, 'bash', ...words], {
    env: { ...process.env, PATH: `${BIN}:${process.env['PATH']}` }, timeout: DEADLINE_MS,
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', part => (text += part))
  }
  await new Promise(resolve => child.once('close', resolve))
  return text
}

test('in a real bash', async t => {
  const { socketPath } = await lab(t)
  t.is(await bash(['tapmesh', 'network', 'pr']), 'prune\n')
  t.is(await bash(['tapmesh', '--socket', socketPath, 'network', 'inspect', '']), 'mynet\n')
})
