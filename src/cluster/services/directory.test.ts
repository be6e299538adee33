// Who is found where: which tasks count, in which order, and what a network knows of a service.
import test from 'ava'
import { directoryOf } from './directory.ts'
import type { EndpointFact, ServiceFact, TaskFact } from './facts.ts'
import { serviceSpec } from './rows.ts'

const POLICY = { parallelism: 1, delayMs: 0, order: 'stop-first', failureAction: 'pause',
  monitorMs: 5000 }
const SPEC = serviceSpec.parse({
  name: 'web', labels: {}, mode: 'replicated', replicas: 2, endpointMode: 'vip', ports: [],
  update: POLICY, rollback: POLICY,
  task: {
    command: ['whoami'], env: [], workdir: null, user: null, hostname: null, rootfs: null,
    networks: [{ id: 'net', aliases: ['www'] }], stopGraceMs: 10_000, constraints: [], force: 0,
    restart: { condition: 'any', delayMs: 5000, maxAttempts: null },
  },
})
const WEB: ServiceFact = { id: 'svc', spec: SPEC, version: 1, generation: 1,
  vips: new Map([['net', '10.0.1.2']]) }
const NETWORKS = [{ id: 'net', name: 'mynet' }, { id: 'other', name: 'other' }]

function task(slot: string, state: TaskFact['state'], node = 'n1'): TaskFact {
  return {
    id: `task${slot}`, node, isHidden: false, service: 'svc', slot, generation: 1,
    desired: 'running', state, error: '', exitCode: null, container: `${slot}`.repeat(64),
    createdAt: 1, claimedAt: 1, stateAt: 1, term: 0, attempt: 0, template: '', side: 0,
  }
}

function endpoint(slot: string, node = 'n1'): EndpointFact {
  return { node, network: 'net', address: `10.0.1.${slot}`, mac: '02:42:0a:00:01:08',
    task: `web.${slot}`, taskId: slot.repeat(64) }
}

test('a service has its VIP, its aliases, and its tasks by slot', t => {
  const [net, other] = directoryOf({ networks: NETWORKS, services: [WEB],
    tasks: [task('3', 'running'), task('2', 'draining')],
    endpoints: [endpoint('3'), endpoint('2')] })
  t.deepEqual(other!.services, [])
  const [web] = net!.services
  t.like(web, { name: 'web', vip: '10.0.1.2', aliases: ['www'] })
  t.deepEqual(web!.tasks.map(one => [one.name, one.address, one.isTaking]),
    [['web.2.task2', '10.0.1.2', false], ['web.3.task3', '10.0.1.3', true]])
  t.is(web!.tasks[0]!.hostname, '222222222222')
})

for (const state of ['assigned', 'starting', 'failed', 'shutdown'] as const) {
  test(`a task that is ${state} is not found`, t => {
    const [net] = directoryOf({ networks: NETWORKS, services: [WEB], tasks: [task('2', state)],
      endpoints: [endpoint('2')] })
    t.deepEqual(net!.tasks, [])
    t.deepEqual(net!.services[0]!.tasks, [])
  })
}

test('no node speaks for the task of another', t => {
  const [net] = directoryOf({ networks: NETWORKS, services: [WEB], tasks: [task('2', 'running')],
    endpoints: [endpoint('2', 'n2')] })
  t.deepEqual(net!.services[0]!.tasks, [])
})

test('a task of run is found by its own name, and a service without VIP has none', t => {
  const dnsrr = { ...WEB, spec: { ...SPEC, endpointMode: 'dnsrr' as const } }
  const [net] = directoryOf({ networks: NETWORKS, services: [dnsrr], tasks: [],
    endpoints: [{ ...endpoint('7'), task: 'db' }] })
  t.like(net!.tasks[0], { name: 'db', address: '10.0.1.7', isTaking: true })
  t.is(net!.services[0]!.vip, null)
})
