import test from 'ava'
import { check } from './http.ts'
import {
  networkCreate, taskKill, taskLogs, taskRemove, taskRun, taskStop, vtepAdd,
} from './schema.ts'

const task = { networks: [{ network: 'a' }] }
type Refusal = [what: string, schema: Parameters<typeof check>[0], value: unknown, text: RegExp]
const refusals: Refusal[] = [
  ['a network without a name', networkCreate, {}, /^name: /],
  ['a name that begins with a dash', networkCreate, { name: '-a' }, /^name: a name is 1 to 63 /],
  ['a name of 64', networkCreate, { name: 'a'.repeat(64) }, /^name: a name is/],
  ['another driver', networkCreate, { name: 'a', driver: 'bridge' }, /^driver: the only driver/],
  ['a subnet without prefix', networkCreate, { name: 'a', subnet: '10.0.1.0' },
    /^subnet: "10\.0\.1\.0" is not an IPv4 subnet/],
  ['a gateway that is a name', networkCreate, { name: 'a', gateway: 'gw' }, /^gateway: "gw"/],
  ['VNI 0', networkCreate, { name: 'a', vni: 0 }, /^vni: /],
  ['VNI of 25 bits', networkCreate, { name: 'a', vni: 16_777_216 }, /^vni: .*16777215/],
  ['VNI as text', networkCreate, { name: 'a', vni: '5' }, /^vni: /],
  ['an MTU that IPv4 does not promise', networkCreate, { name: 'a', mtu: 575 }, /^mtu: /],
  ['an unknown key', networkCreate, { name: 'a', colour: 'red' }, /"colour"/],
  ['too many labels', networkCreate,
    { name: 'a', labels: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`l${i}`, ''])) },
    /^labels: at most 64/],
  ['a VTEP that is a name', vtepAdd, { address: 'node2' }, /^address: "node2" is not an address/],
  ['a VTEP with port 0', vtepAdd, { address: '192.168.56.12:0' }, /^address: /],
  ['a task without network', taskRun, { networks: [] }, /^networks: .*--network/],
  ['a ninth network', taskRun, { networks: Array(9).fill({ network: 'a' }) }, /^networks: /],
  ['a wrong address', taskRun, { networks: [{ network: 'a', address: '10.0.0.256' }] },
    /^networks\[0\]\.address: "10\.0\.0\.256"/],
  ['an environment entry without =', taskRun, { ...task, env: ['A'] }, /^env\[0\]: .*KEY=VALUE/],
  ['NUL in a word', taskRun, { ...task, command: ['a\0b'] }, /^command\[0\]: NUL/],
  ['a command without a name', taskRun, { ...task, command: ['', 'x'] }, /^command: /],
  ['a relative working directory', taskRun, { ...task, workdir: 'x' }, /^workdir: .*absolute/],
  ['a user without a name', taskRun, { ...task, user: ':users' }, /^user: .*NAME\[:GROUP\]/],
  ['a host name with a space', taskRun, { ...task, hostname: 'a b' }, /^hostname: .*letters/],
  ['a host name of 65', taskRun, { ...task, hostname: 'a'.repeat(65) }, /^hostname: /],
  ['a label of it that ends with -', taskRun, { ...task, hostname: 'a-.b' }, /^hostname: /],
  ['an unknown runtime', taskRun, { ...task, runtime: 'runc' }, /^runtime: .*"crun"/],
  ['crun without a root', taskRun, { ...task, runtime: 'crun', command: ['a'] }, /--rootfs FOLDER/],
  ['a root without crun', taskRun, { ...task, rootfs: '/srv/box' }, /--runtime crun/],
  ['a relative root', taskRun, { ...task, runtime: 'crun', rootfs: 'box', command: ['a'] },
    /^rootfs: .*begins with/],
  ['crun without a command', taskRun, { ...task, runtime: 'crun', rootfs: '/srv/box' },
    /a command to run/],
  ['a grace of more than an hour', taskRun, { ...task, stopGraceMs: 3_600_001 }, /^stopGraceMs: /],
  ['a negative grace', taskStop, { graceMs: -1 }, /^graceMs: /],
  ['an unknown signal', taskKill, { signal: 'BANG' }, /^signal: "BANG" is not a signal/],
  ['a tail that is no number', taskLogs, { tail: '-1' }, /^tail: /],
  ['a force that is neither yes nor no', taskRemove, { force: 'perhaps' }, /^force: /],
  ['a list as a body', networkCreate, [], /expected object/],
]
for (const [what, schema, value, text] of refusals) {
  test(`refused: ${what}`, t => {
    t.throws(() => check(schema, value), { code: 'TM_USAGE', message: text })
  })
}

test('all faults are named at once, in the text and as facts', t => {
  const error = t.throws(() => check(networkCreate, { name: '', vni: 0, subnet: 'x/1' }))
  t.regex(error.message, /name: .*; subnet: .*; vni: /)
  t.deepEqual(Object.keys((error as unknown as { facts: object }).facts), ['name', 'subnet', 'vni'])
})

test('what is left out has its default', t => {
  t.deepEqual(check(networkCreate, { name: 'a' }),
    { name: 'a', driver: 'overlay', labels: {}, attachable: true, internal: false })
  t.deepEqual(check(taskRun, task), {
    ...task, command: [], env: [], stopGraceMs: 10_000, labels: {}, runtime: 'process',
    promiscuous: false, remove: false,
  })
  t.deepEqual(check(taskStop, {}), {})
  t.deepEqual(check(taskLogs, { tail: '5' }), { follow: false, tail: 5 })
  t.deepEqual(check(taskRemove, { force: '1' }), { force: true })
})

for (const spelling of ['SIGINT', 'int', 'INT', '2']) {
  test(`signal "${spelling}" is SIGINT`, t => {
    t.is(check(taskKill, { signal: spelling }).signal, 'SIGINT')
  })
}

test('a kill without a signal is SIGKILL', t => t.is(check(taskKill, {}).signal, 'SIGKILL'))
