// The lab on real machines, as far as it can be looked at without them; and its checks, which run
// on the namespace lab as they run there.
// May run beside another test.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { exec, type ExecResult } from '../../src/base/exec.ts'
import { Lab } from '../lib/lab.ts'
import { lacking } from '../lib/needs.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const CHECKS = 10
const TIMEOUT_MS = 180_000
const folder = mkdtempSync(join(tmpdir(), 'tapmesh-vagrant-'))
const lab = new Lab({ nodes: 3, peers: 'cluster' })

t.setTimeout(300_000)
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

function vagrant(words: string[], ...settings: string[]): Promise<ExecResult> {
  return exec(['env', '-u', 'NODE_OPTIONS', '-C', ROOT, `VAGRANT_HOME=${folder}`,
    `VAGRANT_DOTFILE_PATH=${folder}/state`, 'VAGRANT_CHECKPOINT_DISABLE=1', ...settings,
    'vagrant', ...words], TIMEOUT_MS)
}

const skip = lacking({ tools: ['vagrant', 'ruby', 'ssh'] })

t.test('Ruby and Vagrant read the Vagrantfile', { skip }, async t => {
  const parsed = await exec(['ruby', '-c', join(ROOT, 'Vagrantfile')])
  t.equal(parsed.stdout, 'Syntax OK\n')
  const valid = await vagrant(['validate', '--ignore-provider'])
  t.match(valid, { code: 0, stdout: 'validated successfully' })
})

t.test('a machine for each line of the table, and too little memory is refused', { skip },
  async t => {
    const few = await vagrant(['validate', '--ignore-provider'], 'TAPMESH_MEMORY=256')
    t.not(few.code, 0)
    t.match(few.stderr, 'a node needs 512 megabytes at least')
    const { stdout, stderr } = await vagrant(['status', '--machine-readable'])
    const machines = [...stdout.matchAll(/^\d+,(node\d),state,/gm)].map(found => found[1])
    if (machines.length > 0) t.same([...new Set(machines)], ['node1', 'node2', 'node3'])
    else t.match(stdout + stderr, /provider/i, 'without any provider Vagrant says so')
  })

t.test('the scripts for the machines are sound, and say what is wrong', { skip }, async t => {
  const provision = join(ROOT, 'vagrant', 'provision.sh')
  for (const script of ['provision.sh', 'smoke.sh', 'vmlab']) {
    t.equal((await exec(['bash', '-n', join(ROOT, 'vagrant', script)])).code, 0, script)
  }
  const settings = ['env', '-u', 'NODE_OPTIONS', `TAPMESH_LAB=${ROOT}`, provision]
  t.match(await exec(settings), { code: 2, stderr: 'usage: provision.sh NAME' })
  t.match(await exec([...settings, 'node7']), { code: 1, stderr: /^node7: is not in .*nodes$/m })
  writeFileSync(join(folder, 'tapmesh'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  const path = `PATH=${folder}:${process.env['PATH']}`
  const words = ['unshare', '--net', 'env', path, `TAPMESH_LAB=${ROOT}`, provision, 'node2']
  t.match(await exec(words), { code: 1, stderr: 'no device has the address 192.168.56.12' })
})

t.test('provisioning a node that is in a cluster changes nothing', { skip }, async t => {
  writeFileSync(join(folder, 'tapmesh'), '#!/bin/sh\nexit 0\n', { mode: 0o755 })
  const path = `PATH=${folder}:${process.env['PATH']}`
  const provision = join(ROOT, 'vagrant', 'provision.sh')
  t.match(await exec(['env', path, `TAPMESH_LAB=${ROOT}`, provision, 'node2']),
    { code: 0, stdout: 'node2: is in the cluster already, nothing to do\n' })
})

t.test('the smoke test passes on the namespace lab', { skip: lab.lacks }, async t => {
  await lab.up()
  t.teardown(() => lab.down())
  const smoke = await exec(['env', '-u', 'NODE_OPTIONS', join(ROOT, 'scripts', 'lab'), 'smoke',
    '--name', lab.name], TIMEOUT_MS)
  t.equal(smoke.code, 0, smoke.stdout + smoke.stderr)
  t.match(smoke.stdout, `smoke: ${CHECKS} checks, ${CHECKS} passed, 0 failed`)
})
