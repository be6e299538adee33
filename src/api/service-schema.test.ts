// What requests for services may hold, and what is filled in.
import test from 'ava'
import { serviceCreate, serviceLogs, serviceUpdate } from './service-schema.ts'

test('a command is enough, and the rest is as Docker has it', t => {
  t.deepEqual(serviceCreate.parse({ command: ['x'] }), {
    labels: {}, mode: 'replicated', replicas: null, command: ['x'], env: [], workdir: null,
    user: null, hostname: null, runtime: 'process', rootfs: null, networks: [],
    stopGraceMs: 10_000, restart: { condition: 'any', delayMs: 5000, maxAttempts: null },
    constraints: [], endpointMode: 'vip', ports: [], scheduler: 'rr', weights: {},
    update: { parallelism: 1, delayMs: 0, order: 'stop-first', failureAction: 'pause',
      monitorMs: 5000 },
    rollback: { parallelism: 1, delayMs: 0, order: 'stop-first', failureAction: 'pause',
      monitorMs: 5000 },
  })
})

test('an update has what was said and no defaults', t => {
  t.deepEqual(serviceUpdate.parse({}), {})
  t.deepEqual(serviceUpdate.parse({ update: { delayMs: 3 }, restart: {} }),
    { update: { delayMs: 3 }, restart: {} })
  t.deepEqual(serviceUpdate.parse({ portsRemove: [{ target: 80 }] }),
    { portsRemove: [{ target: 80, protocol: 'tcp' }] })
})

const refused: [what: string, body: object][] = [
  ['no command', {}], ['an empty command', { command: [] }], ['no program', { command: [''] }],
  ['half a task', { command: ['x'], replicas: 1.5 }],
  ['an unknown mode', { command: ['x'], mode: 'some' }],
  ['an unknown key', { command: ['x'], image: 'y' }],
  ['a relative folder', { command: ['x'], workdir: 'a' }],
  ['port 0', { command: ['x'], ports: [{ target: 0 }] }],
  ['a port too high', { command: ['x'], ports: [{ target: 80, published: 65_536 }] }],
  ['an environment without value', { command: ['x'], env: ['A'] }],
  ['a delay of years', { command: ['x'], restart: { delayMs: 1e12 } }],
  ['a rollback of a rollback', { command: ['x'], rollback: { failureAction: 'rollback' } }],
  ['a weight of a name', { command: ['x'], weights: { web: 1 } }],
]
for (const [what, body] of refused) {
  test(`no service: ${what}`, t => t.false(serviceCreate.safeParse(body).success))
}

test('a rollback of a rollback is no update either', t => {
  t.false(serviceUpdate.safeParse({ rollback: { failureAction: 'rollback' } }).success)
})

test('logs: numbers of lines, and yes or no', t => {
  t.deepEqual(serviceLogs.parse({ follow: 'true', tail: '5' }), { follow: true, tail: 5 })
  t.false(serviceLogs.safeParse({ tail: '-1' }).success)
})
