// Who gets a new connection, scheduler by scheduler, counted over many of them.
import test from 'ava'
import { parseIpv4 } from '../base/text.ts'
import { makeCounters } from './counters.ts'
import { makeFlowMemory } from './flow-memory.ts'
import { makeFlows } from './flow-table.ts'
import type { Scheduler } from './image-rows.ts'
import { buildImage } from './image.ts'
import { pickBackend } from './schedule.ts'
import { BACKEND_ID } from './service-image.ts'
import {
  ACK, type Backend, FIN, serviceLab, serviceRow, SYN, tcpFrame, VIP,
} from './services.test-kit.ts'
import { backendWord, makeTables, type Tables } from './tables.ts'

const THREE: Backend[] = [{ id: 3, address: '10.0.1.3' }, { id: 4, address: '10.0.1.9' },
  { id: 5, address: '10.0.1.10' }]

/** How many of `count` connections each of the three got. */
function shares(backends: readonly Backend[], scheduler: Scheduler, count: number): number[] {
  const { lab, client, here, there, beyond } = serviceLab(backends, scheduler)
  const counts = [0, 0, 0]
  for (let port = 10_000; port < 10_000 + count; port++) {
    client.send(tcpFrame(client, VIP, [port, 80], SYN))
    if (port % 20 !== 19) continue
    lab.run()
    ;[here, there, beyond].forEach((end, n) => (counts[n]! += end.takeAll().length))
  }
  return counts
}

test('rr goes round, whatever the weights', t => {
  t.deepEqual(shares(THREE.map((one, n) => ({ ...one, weight: n + 1 })), 'rr', 300),
    [100, 100, 100])
})

test('wrr goes by weight', t => {
  t.deepEqual(shares(THREE.map((one, n) => ({ ...one, weight: n + 1 })), 'wrr', 600),
    [100, 200, 300])
})

test('who has weight 0 gets none', t => {
  for (const scheduler of ['rr', 'wrr', 'lc', 'sh', 'maglev'] as const) {
    const [first] = shares([{ ...THREE[0]!, weight: 0 }, ...THREE.slice(1)], scheduler, 40)
    t.is(first, 0, scheduler)
  }
})

test('lc fills up who has least', t => {
  t.deepEqual(shares(THREE, 'lc', 300), [100, 100, 100])
  const { lab, one, client, here, serve } = serviceLab(THREE.slice(0, 1), 'lc')
  for (let port = 1; port <= 20; port++) client.send(tcpFrame(client, VIP, [port, 80], SYN))
  lab.run()
  serve(serviceRow(THREE.slice(0, 2), 'lc'))
  for (let port = 21; port <= 41; port++) client.send(tcpFrame(client, VIP, [port, 80], SYN))
  lab.run()
  const { active, inactive } = one.plane.flows.own
  t.is(here.takeAll().length, 20 + 1)
  t.deepEqual([...inactive.subarray(3, 5)], [21, 20])
  t.deepEqual([...active.subarray(3, 5)], [0, 0])
})

test('maglev is nearly even', t => {
  const counts = shares(THREE, 'maglev', 3000)
  for (const count of counts) t.true(Math.abs(count - 1000) < 120, counts.join(' '))
})

test('maglev: when one of a hundred goes, hardly any flow of the others moves', t => {
  const all = Array.from({ length: 100 }, (_, n) => ({ id: n, address: parseIpv4('10.0.1.2') + n,
    weight: 1 }))
  const member = parseIpv4('192.168.56.12')
  const tables = (gone: number) => makeTables(buildImage({ generation: 1, ports: [],
    networks: [{ vni: 4097, mtu: 1450, learnedMax: 16, strict: true }],
    members: [{ network: 0, address: member, port: 4789 }],
    remotes: all.map(({ address }) => ({ network: 0, macHigh: 0x0242, macLow: address, address,
      member })),
    services: [{ mark: 256, network: 0, address: parseIpv4(VIP.address), scheduler: 'maglev',
      backends: all.map(one => one.id === gone ? { ...one, weight: 0 } : one) }] }))
  const flows = makeFlows(7, makeCounters(), { memories: [makeFlowMemory(16)], mine: 0,
    capacity: 16 })
  const pick = (of: Tables, n: number) => backendWord(of,
    pickBackend(flows, of, 0, 6 << 24 | 4097, parseIpv4('10.0.2.1') + n % 200,
      (20_000 + n) << 16 | 80), BACKEND_ID)
  const before = tables(-1)
  const FLOWS = 20_000
  for (const gone of [0, 41, 99]) {
    const after = tables(gone)
    let [moved, had] = [0, 0]
    for (let n = 0; n < FLOWS; n++) {
      const was = pick(before, n)
      if (was === gone) had += 1
      if (was !== pick(after, n)) moved += 1
    }
    t.log(`${moved} of ${FLOWS} flows moved; number ${gone} had ${had} of them`)
    t.true(moved >= had && moved <= FLOWS / 50)
  }
})

test('sh: a client has one backend', t => {
  const counts = shares(THREE, 'sh', 60)
  t.deepEqual(counts.toSorted((a, b) => a - b), [0, 0, 60])
})

test('an open connection counts as active, and one that is over does not', t => {
  const { lab, one, client, here } = serviceLab(THREE.slice(0, 1))
  const { active, inactive } = one.plane.flows.own
  const now = () => [active[3], inactive[3]]
  const says = (flags: number) => {
    client.send(tcpFrame(client, VIP, [5000, 80], flags))
    lab.run()
  }
  const answers = (flags: number) => {
    here.send(tcpFrame(here, client, [80, 5000], flags))
    lab.run()
  }
  says(SYN)
  t.deepEqual(now(), [0, 1])
  answers(SYN | ACK)
  says(ACK)
  t.deepEqual(now(), [1, 0])
  says(FIN | ACK)
  t.deepEqual(now(), [1, 0], 'the other side may still send')
  answers(FIN | ACK)
  t.deepEqual(now(), [0, 1])
})

test('when the services of a network change, no turn is out of range', t => {
  const { lab, client, here, there, serve } = serviceLab(THREE)
  for (let port = 1; port <= 2; port++) client.send(tcpFrame(client, VIP, [port, 80], SYN))
  lab.run()
  serve(serviceRow([{ id: 9, address: '10.0.1.77' }, ...THREE.slice(0, 1)]),
    serviceRow(THREE.slice(1, 2), 'rr', { mark: 300, address: parseIpv4('10.0.1.101') }))
  here.takeAll()
  there.takeAll()
  for (let port = 3; port <= 8; port++) client.send(tcpFrame(client, VIP, [port, 80], SYN))
  lab.run()
  t.deepEqual([here, there].map(end => end.takeAll().length), [6, 0],
    'a backend that no endpoint has gets none')
})
