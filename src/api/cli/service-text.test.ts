// Words of the service commands, and how far a service has come: without a daemon.
import test from 'ava'
import { serviceCreate } from '../service-schema.ts'
import { fakeTask, makeFakeServices } from '../service.test-kit.ts'
import type { ServiceTaskView, ServiceView } from '../client.ts'
import { timeText } from './service-inspection.ts'
import { commandOf } from './service-options.ts'
import { BARS_MAX, progressOf } from './service-progress.ts'
import { portsText, replicasText } from './service-text.ts'
import { barText } from './service-wait.ts'
import { attachmentOf, portsOf, scaleOf, targetOf, weightsOf } from './service-words.ts'

const tcp = (published: number | undefined, target: number, mode = 'ingress') =>
  ({ mode, published, target, protocol: 'tcp' })
const publish: [words: string, ports: object[]][] = [
  ['8080:80', [tcp(8080, 80)]],
  ['80', [tcp(undefined, 80)]],
  ['host,8080:80', [tcp(8080, 80, 'host')]],
  ['ingress,53:53/udp', [{ ...tcp(53, 53), protocol: 'udp' }]],
  ['8000-8001:80-81', [tcp(8000, 80), tcp(8001, 81)]],
  ['published=8080,target=80,mode=host,protocol=udp,source=preserve',
    [{ ...tcp(8080, 80, 'host'), protocol: 'udp', source: 'preserve' }]],
]
for (const [words, ports] of publish) {
  test(`publish ${words}`, t => t.like(portsOf(words), ports))
}

const refused: [words: string, line: RegExp][] = [
  ['8080:', /has no target port/], ['', /has no target port/], ['published=8080', /no target port/],
  ['0:80', /"0" is no port/], ['65536:80', /"65536" is no port/], ['80-90:80', /different lengths/],
  ['90-80', /is no range/], ['1-99', /is no range of 1 to 32 ports/], ['80/sctp', /no protocol/],
  ['both,80:80', /"both" is no mode/], ['target=80,colour=red', /"colour=red" is none of/],
  ['a:b:c', /has no target port/], ['target=80,source=moon', /a source is/],
]
for (const [words, line] of refused) {
  test(`no port to publish: "${words}"`, t => t.throws(() => portsOf(words), { message: line }))
}

test('words with values', t => {
  t.deepEqual(targetOf('80/udp'), { target: 80, protocol: 'udp' })
  t.deepEqual(targetOf('8080:80'), { target: 80, protocol: 'tcp' })
  t.deepEqual(attachmentOf('a'), { network: 'a' })
  t.deepEqual(attachmentOf('name=a,alias=b,alias=c'), { network: 'a', aliases: ['b', 'c'] })
  t.throws(() => attachmentOf('alias=b'), { message: /name=NETWORK/ })
  t.deepEqual(weightsOf(['1=5', '2=0']), { 1: 5, 2: 0 })
  t.throws(() => weightsOf(['1=65536']), { message: /0 to 65535/ })
  t.deepEqual(scaleOf('web=3'), ['web', 3])
  t.throws(() => scaleOf('web=x'), { message: /is no scale/ })
})

const commands: [text: string, words: string[]][] = [
  ['', []], ['ping  8.8.8.8', ['ping', '8.8.8.8']], ['sh -c "a b"', ['sh', '-c', 'a b']],
  [`sh -c 'a "b"'`, ['sh', '-c', 'a "b"']], ['a\\ b c"d e"f', ['a b', 'cd ef']],
  ['"a\\"b"', ['a"b']], ["''", ['']],
]
for (const [text, words] of commands) {
  test(`words of ${JSON.stringify(text)}`, t => t.deepEqual(commandOf(text), words))
}

const times: [ms: number, text: string][] = [
  [0, '0s'], [500, '500ms'], [5000, '5s'], [1500, '1.5s'], [90_000, '1m30s'],
  [3_600_000, '1h0m0s'],
]
for (const [ms, text] of times) test(`${ms} ms is ${text}`, t => t.is(timeText(ms), text))

test('neighbouring ports are one range, others are not', t => {
  const ports = [[80, 80], [81, 81], [82, 90], [84, 92]].map(([published, target]) =>
    ({ ...tcp(published, target!), source: 'node' })) as Parameters<typeof portsText>[0]
  t.is(portsText(ports), '*:80-81->80-81/tcp, *:82->90/tcp, *:84->92/tcp')
})

async function service(change: object = {}): Promise<ServiceView> {
  const { control } = makeFakeServices([])
  const body = serviceCreate.parse({ name: 'web', command: ['x'], replicas: 2, ...change })
  return (await control.create(body)).service
}

const NONE = new Set<string>()
const progress = (view: ServiceView, tasks: ServiceTaskView[], known = NONE) =>
  progressOf(view, tasks, known, view.generation)

test('a bar has its full length on a wide terminal alone', t => {
  const bar = { label: '1/2', text: 'running  ', step: 9 }
  t.is(barText(bar, 120), `1/2: running   [${'='.repeat(50)}>]`)
  t.is(barText({ ...bar, text: 'pending  ', step: 3 }, 80),
    `1/2: pending   [${'='.repeat(6)}>${' '.repeat(14)}]`)
  t.is(barText({ ...bar, step: null }, 120), '1/2: running  ')
})

test('all tasks run: it is there', async t => {
  const web = await service()
  const tasks = [fakeTask(web, '1'), fakeTask(web, '2')]
  t.like(progress(web, tasks), { overall: '2 out of 2 tasks', isThere: true, failure: null })
  t.false(progress({ ...web, generation: 2 }, tasks).isThere, 'of an older generation')
  const [first, second] = tasks as [ServiceTaskView, ServiceTaskView]
  t.false(progress(web, [{ ...first, isAway: true, desired: 'shutdown' }, second]).isThere)
})

test('while an update goes on it is not there, and a pause is a failure', async t => {
  const web = await service()
  const tasks = [fakeTask(web, '1'), fakeTask(web, '2')]
  const update = { generation: 1, state: 'updating' as const, startedAt: '', finishedAt: null,
    message: 'why' }
  t.false(progress({ ...web, update }, tasks).isThere)
  t.is(progress({ ...web, update: { ...update, state: 'paused' } }, tasks).failure,
    'service update paused: why')
  t.true(progress({ ...web, update: { ...update, state: 'completed' } }, tasks).isThere)
  const back = { ...web, generation: 2, update: { ...update, generation: 2,
    state: 'rollback_completed' as const } }
  t.is(progressOf(back, tasks, NONE, 1).failure, 'service rolled back: why')
  t.is(progressOf(back, tasks, NONE, 2).failure, null, 'that was asked for')
})

test('a slot that goes on failing is given up after the third time', async t => {
  const web = await service({ replicas: 1 })
  const failed = (n: number) => fakeTask(web, '1', { id: `f${n}`, state: 'failed', error: 'boom' })
  const waiting = fakeTask(web, '1', { id: '', state: 'pending' })
  t.is(progress(web, [waiting, failed(1), failed(2)]).failure, null)
  t.is(progress(web, [waiting, failed(1), failed(2), failed(3)]).failure,
    'web.1 failed 3 times: boom')
  t.is(progress(web, [failed(1)]).failure, 'web.1 failed: boom', 'and is not begun again')
  t.is(progress(web, [failed(1)], new Set(['f1'])).failure, null, 'it had failed before')
  t.deepEqual(progress(web, [waiting, failed(1)]).bars, [{ label: '1/1', text: 'boom',
    step: null }])
})

test('work that is done is enough where nothing more is wanted', async t => {
  const job = await service({ replicas: 1, restart: { condition: 'none' } })
  const done = fakeTask(job, '1', { state: 'complete', exitCode: 0 })
  t.true(progress(job, [done]).isThere)
  const web = await service({ replicas: 1 })
  t.false(progress(web, [done]).isThere)
  t.is(replicasText({ ...job, completed: 1 }), '0/1 (1/1 completed)')
})

test('a task that waits for an address says so in place of its bar', async t => {
  const web = await service({ replicas: 1 })
  const waiting = fakeTask(web, '1', { state: 'preparing', error: 'mynet is full' })
  t.like(progress(web, [waiting]), { waiting: 'web.1: mynet is full', failure: null,
    bars: [{ label: '1/1', text: 'mynet is full', step: null }] })
})

test('a global service has a bar for each node', async t => {
  const util = await service({ mode: 'global', replicas: null })
  const tasks = [fakeTask(util, 'nodeaaaaaaaaaaaa'), fakeTask(util, 'nodebbbbbbbbbbbb',
    { state: 'starting' })]
  t.like(progress(util, tasks), { overall: '1 out of 2 tasks',
    bars: [{ label: 'nodeaaaaaaaa', step: 9 }, { label: 'nodebbbbbbbb', step: 8 }] })
})

test('too many tasks have no bars, and what waits says why', async t => {
  const big = await service({ replicas: BARS_MAX + 1 })
  const waiting = fakeTask(big, '1', { id: '', state: 'pending', error: 'no suitable node' })
  t.like(progress(big, [waiting]), { overall: `0 out of ${BARS_MAX + 1} tasks`, bars: [],
    waiting: 'web.1: no suitable node' })
})
