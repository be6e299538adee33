// The words of listings, which need no daemon.
import test from 'ava'
import type { TaskView } from '../client.ts'
import { durationText } from './ago.ts'
import { clockText } from './capturing.ts'
import { enter, enterRootfs } from './commands/exec.ts'
import { tableText } from './table.ts'
import { taskStatus } from './task-text.ts'
import { duration, environmentOf, labelsOf, networkOf } from './words.ts'

const S = 1000
const durations: [ms: number, text: string][] = [
  [0, 'Less than a second'], [999, 'Less than a second'], [S, '1 second'], [59 * S, '59 seconds'],
  [60 * S, 'About a minute'], [120 * S, '2 minutes'], [3599 * S, '59 minutes'],
  [3600 * S, 'About an hour'], [5400 * S, '2 hours'], [47 * 3600 * S, '47 hours'],
  [48 * 3600 * S, '2 days'], [14 * 86_400 * S, '2 weeks'], [60 * 86_400 * S, '2 months'],
  [730 * 86_400 * S, '2 years'],
]
for (const [ms, text] of durations) {
  test(`${ms} ms is "${text}"`, t => t.is(durationText(ms), text))
}

const times: [text: string, ms: number][] = [
  ['500ms', 500], ['10s', 10_000], ['1m30s', 90_000], ['1.5s', 1500], ['1h', 3_600_000], ['0', 0],
]
for (const [text, ms] of times) {
  test(`--delay ${text} is ${ms} ms`, t => t.is(duration('--delay', 3_600_000)(text), ms))
}
for (const text of ['', '10', 's', '1.s', '-1s', '1d', '61m', '1s ', '1e3s']) {
  test(`--delay "${text}" is refused`, t => {
    t.throws(() => duration('--delay', 3_600_000)(text), { code: 'TM_USAGE', message: /--delay/ })
  })
}

const at = Date.parse('2026-01-02T03:04:05Z')
const task: TaskView = {
  id: 'ab'.repeat(32), name: 'web', state: 'running', error: null, pid: 7, exitCode: null,
  hostname: 'abababababab', netns: 'tm-abab', command: ['x'], createdAt: '2026-01-02T03:04:00Z',
  directory: '/var/lib/tapmesh/tasks/abab', user: null, runtime: 'process', rootfs: null,
  stopGraceMs: 10_000, labels: {}, service: null,
  startedAt: '2026-01-02T03:04:00Z', finishedAt: null, promiscuous: false, remove: false,
  endpoints: [], wayOut: null,
}
const ended = { state: 'exited', pid: null, finishedAt: '2026-01-02T03:01:00Z' } as const
const states: [change: Partial<TaskView>, text: string][] = [
  [{}, 'Up 5 seconds'],
  [{ state: 'created', startedAt: null }, 'Created'],
  [{ state: 'created', command: [] }, 'Up 5 seconds (no process)'],
  [{ state: 'stopping' }, 'Up 5 seconds (stopping)'],
  [{ ...ended, exitCode: 0 }, 'Exited (0) 3 minutes ago'],
  [{ ...ended, exitCode: null }, 'Exited (?) 3 minutes ago'],
  [{ state: 'failed', error: 'no such file: x' }, 'Failed: no such file: x'],
]
for (const [change, text] of states) {
  test(`status "${text}"`, t => t.is(taskStatus({ ...task, ...change }, at), text))
}

test('a clock behind that of the daemon shows no negative time', t => {
  t.is(taskStatus(task, at - 60_000), 'Up Less than a second')
})

test('a cell cannot break the table', t => {
  t.is(tableText(['A', 'B'], [['x\ny\u001b[31m', 'z'], ['', 'w']]), [
    'A          B', 'x y [31m   z', '           w',
  ].join('\n'))
})

test('a table without rows is its heading', t => t.is(tableText(['A', 'BC'], []), 'A   BC'))

test('words with values', t => {
  t.deepEqual(networkOf('a,ip=10.0.1.8'), { network: 'a', address: '10.0.1.8' })
  t.deepEqual(networkOf('a'), { network: 'a' })
  t.deepEqual(labelsOf(['a=b=c', 'd']), { a: 'b=c', d: '' })
  t.deepEqual(environmentOf(['A=1', 'NO_SUCH_VARIABLE_1']), ['A=1'])
  t.deepEqual(environmentOf(['PATH']), [`PATH=${process.env['PATH']}`])
})

test('exec enters the process, or the namespace when there is none', t => {
  t.is(enter(task, ['ip', 'a']).join(' '), 'nsenter -t 7 -n -u -m -- ip a')
  const bare = enter({ ...task, pid: null }, ['ip', 'a'])
  t.deepEqual(bare.slice(0, 4), ['nsenter', '--net=/run/netns/tm-abab', '--', 'unshare'])
  t.deepEqual(bare.slice(-4), ['abababababab', task.directory, 'ip', 'a'])
  const crun = `nsenter -t 7 -m -- crun --root ${task.directory}/crun --cgroup-manager=disabled`
  t.is(enterRootfs(task, ['ip', 'a'], '0:0', true).join(' '),
    `${crun} exec --user=0:0 --tty ${task.id} ip a`)
  t.is(enterRootfs(task, ['ip', 'a'], '33:34', false).join(' '),
    `${crun} exec --user=33:34 ${task.id} ip a`)
})

test('a packet has a time with microseconds', t => {
  const midnight = new Date(2026, 0, 2).getTime() * 1000
  t.is(clockText(midnight), '00:00:00.000000')
  t.is(clockText(midnight + 61_000_042), '00:01:01.000042')
})
