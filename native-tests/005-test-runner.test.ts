// What scripts/test counts: tests, not assertions, whatever the runners print around them. And that
// scripts/setup, which it calls first, costs next to nothing when all is installed.
import { join } from 'node:path'
import t from 'tap'
import { exec } from '../src/base/exec.ts'
import { TapReader } from '../scripts/test.d/tap.ts'
import type { Result, Style } from '../scripts/test.d/tap.ts'

function read(style: Style, tap: string): Result[] {
  const results: Result[] = []
  const reader = new TapReader(style, result => results.push(result))
  for (const line of tap.split('\n')) reader.line(line)
  reader.end()
  return results
}

const FLAT = `TAP version 13
ok 1 - wire > reads
ok 2 - wire > later # SKIP
not ok 3 - wire > writes
  ---
    name: AssertionError
    details: |
      ok 9 - this is part of a message
  ...

1..3`

const NESTED = `TAP version 14
# Subtest: native-tests/a.test.ts
    # Subtest: two assertions
        ok 1 - one
        ok 2 - two
        1..2
    ok 1 - two assertions # time=3.99ms

    ok 2 - no device # SKIP no \\# tun
    # Subtest: outer
        # Subtest: inner
            not ok 1 - should be equal
              ---
              compare: ===
              ...
            1..1
        not ok 1 - inner # time=1ms
        1..1
    not ok 3 - outer # time=2ms
      ---
      at: here
      ...
    1..3
not ok 1 - native-tests/a.test.ts # time=9ms
# Subtest: native-tests/b.test.ts
    1..0 # needs root
ok 2 - native-tests/b.test.ts # SKIP needs root
# Subtest: native-tests/c.test.ts
    # Subtest: good
        ok 1 - yes
        1..1
    ok 1 - good # time=1ms
    not ok 2 - late error
      ---
      stack: somewhere
      ...
    1..2
not ok 3 - native-tests/c.test.ts # time=9ms
  ---
  exitCode: 1
  ...
1..3`

t.test('flat output: every point is a test', async t => {
  t.same(read('flat', FLAT), [
    { name: 'wire > reads', outcome: 'passed', text: '' },
    { name: 'wire > later', outcome: 'skipped', text: 'skip' },
    {
      name: 'wire > writes',
      outcome: 'failed',
      text: '  name: AssertionError\n  details: |\n    ok 9 - this is part of a message',
    },
  ])
})

t.test('nested output: innermost tests count, and a failure once', async t => {
  const [a, b, c] = ['a', 'b', 'c'].map(name => `native-tests/${name}.test.ts`)
  t.same(read('nested', NESTED), [
    { name: `${a} > two assertions`, outcome: 'passed', text: '' },
    { name: `${a} > no device`, outcome: 'skipped', text: 'no # tun' },
    {
      name: `${a} > outer > inner`,
      outcome: 'failed',
      text: 'not ok: should be equal\n  compare: ===',
    },
    { name: b, outcome: 'skipped', text: 'needs root' },
    { name: `${c} > good`, outcome: 'passed', text: '' },
    { name: c, outcome: 'failed', text: 'not ok: late error\n  stack: somewhere' },
  ])
})

t.test('output that ends within a test is a failure', async t => {
  const cut = NESTED.slice(0, NESTED.indexOf('ok 2 - two'))
  t.match(read('nested', cut), [{
    name: 'native-tests/a.test.ts > two assertions',
    outcome: 'failed',
    text: 'ends within',
  }])
})

t.test('a bail out is a failure', async t => {
  t.match(read('flat', 'ok 1 - fine\nBail out! no more'), [
    { outcome: 'passed' }, { outcome: 'failed', text: 'Bail out! no more' },
  ])
})

const SCRIPTS = join(import.meta.dirname, '..', 'scripts')
const SETUP_AGAIN_MAX_MS = 1_000

t.test('setup has nothing to do a second time, from any folder', async t => {
  const command = ['sh', '-c', `cd / && exec ${join(SCRIPTS, 'setup')}`]
  t.equal((await exec(command)).code, 0)
  const startedMs = performance.now()
  const { code, stdout } = await exec(command)
  t.ok(performance.now() - startedMs < SETUP_AGAIN_MAX_MS, 'quick')
  t.equal(code, 0)
  t.match(stdout, 'ready: node v24.')
  t.notMatch(stdout, /installing|putting/)
})

t.test('wrong words are answered with usage and exit code 2', async t => {
  const rows: [command: string, words: string[], says: string][] = [
    ['setup', ['--fast'], 'unknown option "--fast"'],
    ['test', ['--native', '--fast'], 'unknown option "--fast"'],
    ['test', ['no-such-file'], 'no test file\'s path holds "no-such-file"'],
  ]
  for (const [command, words, says] of rows) {
    t.match(await exec([join(SCRIPTS, command), ...words]), { code: 2, stderr: says }, command)
  }
})
