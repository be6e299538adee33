// Output of tasks of this node, in pieces, as it comes and to its end; of nodes that are down it is
// missing.
import test from 'ava'
import { LOG_OCTETS_MAX } from '../cluster/identity/join-messages.ts'
import type { ClusterLink } from './cluster-link.ts'
import { type LogReader, serviceLogs } from './service-logs.ts'
import type { ServiceLogLine, ServiceTaskView } from './service-views.ts'

const DEADLINE_MS = 10_000

function task(slot: string, change: Partial<ServiceTaskView> = {}): ServiceTaskView {
  return {
    id: `t${slot}`, service: 's', slot, name: `web.${slot}`, node: { id: 'n1', name: 'node1' },
    generation: 1, command: ['x'], desired: 'running', state: 'running', error: '', exitCode: null,
    container: slot.repeat(64), createdAt: '', stateAt: '', ports: [], isAway: false,
    flows: null, ...change,
  }
}

/** Output by container, as it is now, and which of them have ended. */
function bench(follow: boolean, tail?: number) {
  const output = new Map<string, string>()
  const ended = new Set<string>()
  const asked: unknown[] = []
  const abort = new AbortController()
  const readLog: LogReader['readLog'] = async (container, from, tailLines) => {
    asked.push([container[0], from, tailLines])
    const text = output.get(container[0]!)
    if (text === undefined) return null
    const octets = Buffer.from(text).subarray(from ?? 0, (from ?? 0) + LOG_OCTETS_MAX)
    return { octets, next: (from ?? 0) + octets.length, isOver: ended.has(container[0]!) }
  }
  const reader = { link: { nodeId: 'n1' } as ClusterLink, readLog, version: '0.1.0',
    clock: { nowMs: () => performance.now(), wallMs: () => 0 }, spec: { follow, tail },
    signal: abort.signal }
  return { output, ended, asked, abort, reader }
}

async function all(lines: AsyncIterable<ServiceLogLine>): Promise<string[]> {
  const seen: string[] = []
  for await (const one of lines) {
    seen.push('note' in one ? one.note : `${one.name}@${one.node} ${one.line}`)
  }
  return seen
}

test('all that is there, task by task, and the rest of a line at the end', async t => {
  const { output, reader } = bench(false)
  output.set('1', 'one\ntwo').set('2', 'three\n')
  const tasks = [task('1'), task('2'), task('3', { container: null }), task('4')]
  t.deepEqual(await all(serviceLogs(reader, () => tasks)),
    ['web.1@node1 one', 'web.1@node1 two', 'web.2@node1 three'])
})

test('output longer than a piece comes whole, and a tail is asked for once', async t => {
  const { output, asked, reader } = bench(false, 7)
  const line = `${'x'.repeat(99)}\n`
  output.set('1', line.repeat(1000))
  const seen = await all(serviceLogs(reader, () => [task('1')]))
  t.is(seen.length, 1000)
  t.true(seen.every(one => one === `web.1@node1 ${'x'.repeat(99)}`))
  t.deepEqual(asked, [['1', null, 7], ['1', LOG_OCTETS_MAX, 7], ['1', 2 * LOG_OCTETS_MAX, 7]])
})

test('of a node that is down the output is missing, which is said once', async t => {
  const { output, reader } = bench(false)
  output.set('1', 'one\n')
  const away = task('2', { isAway: true, node: { id: 'n3', name: 'node3' } })
  t.deepEqual(await all(serviceLogs(reader, () => [away, task('1')])),
    ['node3 is down: the output of web.2 is missing', 'web.1@node1 one'])
})

test('followed output comes as it is written, also of later tasks, until the end', async t => {
  const { output, ended, reader } = bench(true)
  let tasks: ServiceTaskView[] | null = [task('1')]
  output.set('1', 'one\n')
  const reading = serviceLogs(reader, () => tasks)
  const next = async () => {
    const { value } = await reading.next()
    return value !== undefined && 'line' in value ? value.line : value
  }
  t.is(await next(), 'one')
  output.set('1', 'one\ntwo\nth')
  t.is(await next(), 'two')
  output.set('2', 'new\n')
  tasks = [task('1'), task('2')]
  t.is(await next(), 'new')
  ended.add('1')
  t.is(await next(), 'th')
  tasks = null
  t.is(await next(), undefined)
})

test('nobody reads any more: nothing is asked for any more', async t => {
  const { output, asked, reader, abort } = bench(true)
  output.set('1', 'one\n')
  for await (const one of serviceLogs(reader, () => [task('1')])) {
    t.like(one, { line: 'one' })
    break
  }
  const stopped = serviceLogs(reader, () => [task('1')])
  await stopped.next()
  abort.abort()
  await t.throwsAsync(stopped.next(), { name: 'AbortError' })
  const endMs = performance.now() + DEADLINE_MS
  let before = -1
  while (before !== asked.length && performance.now() < endMs) {
    before = asked.length
    await new Promise(resolve => setTimeout(resolve, 400)) // longer than one look
  }
  t.is(before, asked.length)
})
