// What the command line says of itself, and of words that are wrong.
import test from 'ava'
import { cli, lab } from './cli.test-kit.ts'
import { makeWholeProgram } from './main.ts'

const usage: [what: string, words: string, line: RegExp][] = [
  ['an unknown command', 'staus', /^tapmesh: unknown command 'staus' \(did you mean status\?\); /],
  ['an unknown subcommand', 'network lss', /unknown command 'lss'.*see 'tapmesh network --help'$/],
  ['an unknown option', 'ps --colour', /unknown option '--colour'; see 'tapmesh ps --help'$/],
  ['a missing name', 'network create', /argument 'name'; see 'tapmesh network create --help'$/],
  ['an excess argument', 'network create a b', /too many arguments.*; see 'tapmesh network c/],
  ['a number that is none', 'network create --vni x a', /--vni "x" is not a whole number from 0/],
  ['a label without key', 'network create --label =v a', /--label "=v" has no key/],
  ['a wrong network option', 'run --network a,mac=b x', /--network "a,mac=b": write NETWORK or/],
  ['two addresses', 'run --network a,ip=1.2.3.4,ip=1.2.3.5 x', /--network "a,ip=.*: write/],
  ['exec without command', 'exec web --', /missing required argument 'command'/],
  ['a port out of range', 'whoami --port 65536', /--port "65536" is not a whole number from 0 to/],
]
for (const [what, words, line] of usage) {
  test(`exit 2 and one line: ${what}`, async t => {
    const { code, stdout, stderr } = await cli(t, words.split(' '), { TAPMESH_SOCKET: '/none' })
    t.is(code, 2)
    t.is(stdout, '')
    t.is(stderr.split('\n').length, 2, stderr)
    t.regex(stderr.trimEnd(), line)
  })
}

test('what the daemon calls wrong words is a usage error, too', async t => {
  const { run } = await lab(t)
  const words = ['network', 'create', '--subnet', '10.0.0.0/33', '--vni', '0', 'b']
  const { code, stderr } = await run(...words)
  t.is(code, 2)
  t.regex(stderr, /^tapmesh: subnet: "10\.0\.0\.0\/33" is not .*; vni: .*; see 'tapmesh network cr/)
})

test('exit 1 and one line: no daemon', async t => {
  const { code, stderr } = await cli(t, ['ps'], { TAPMESH_SOCKET: '/tmp/no-such.sock' })
  t.is(code, 1)
  t.is(stderr, 'tapmesh: no daemon answers on /tmp/no-such.sock; start it with: tapmesh daemon\n')
})

test('exit 1: no such network', async t => {
  const { run } = await lab(t)
  const { code, stderr } = await run('network', 'rm', 'none')
  t.is(code, 1)
  t.is(stderr, 'tapmesh: no network named none\n')
})

test('help and version, from a start of its own', async t => {
  t.regex((await cli(t, ['--help'])).stdout, /\n  network +Manage .*\n[^]*\n  whoami +Run a small/)
  t.regex((await cli(t, ['--version'])).stdout, /^tapmesh \d+\.\d+\.\d+\n$/)
  const [first, second] = await Promise.all([['help', 'network', 'ls'], ['network', 'ls', '-h']]
    .map(words => cli(t, words)))
  t.regex(first!.stdout, /^Usage: tapmesh network ls/)
  t.deepEqual(first, { ...second!, code: 0 })
})

test('every command has a help with an example', async t => {
  const program = await makeWholeProgram()
  const groups = program.commands.map(command => [command, ...command.commands])
  const leaves = groups.flatMap(([first, ...rest]) => rest.length === 0 ? [first!] : rest)
  t.true(leaves.length > 30)
  for (const leaf of leaves) {
    let help = ''
    leaf.configureOutput({ writeOut: text => (help += text) }).outputHelp()
    const words = [leaf.parent?.name(), leaf.name()].join(' ').replace(/^tapmesh /, '')
    t.regex(help, new RegExp(`^Usage: tapmesh ${words}[^]*\nExample:\n  tapmesh `), words)
  }
})

test('a group without a command shows its help and fails', async t => {
  const { code, stdout, stderr } = await cli(t, ['network'])
  t.deepEqual([code, stdout], [2, ''])
  t.regex(stderr, /^Usage: tapmesh network/)
})
