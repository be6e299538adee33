// The flow table against a plain map, its times, what goes when it is full, and two workers that
// share it. fast-check prints the seed of a failing run.
import test from 'ava'
import fc from 'fast-check'
import { makeCounters, COUNT_FLOWS_AGED, COUNT_FLOWS_EVICTED } from './counters.ts'
import { ageFlows } from './flow-age.ts'
import {
  CLOSED_SECONDS, CLOSING_SECONDS, DATAGRAMS_SECONDS, ESTABLISHED_SECONDS, FLOW_BACKEND,
  FLOW_BACKEND_ID, FLOW_CLIENT, FLOW_KIND, FLOW_PORTS, FLOW_REPLY_PORTS, FLOW_SHIFT, FLOW_SOURCE,
  FLOW_VIRTUAL, makeFlowMemory, OPENING_SECONDS, PHASES, PHASE_DATAGRAMS, PHASE_ESTABLISHED,
  PHASE_OPENING, SHARD_SIZE, SHARD_USED,
} from './flow-memory.ts'
import { makeFlowRows } from './flow-rows.ts'
import {
  enterFlow, findForward, findReply, type Flows, makeFlows, NO_FLOW, removeFlow, ROW_MASK, takeRow,
} from './flow-table.ts'
import { STATE_IN_MIDDLE, touchFlow, trackForward, trackReply } from './flow-track.ts'

const KIND = 6 << 24 | 4097
const [FIN, SYN, RST, ACK] = [0x01, 0x02, 0x04, 0x10]

function makeTable(capacity: number, workers = 1): Flows[] {
  const memories = Array.from({ length: workers }, () => makeFlowMemory(capacity))
  return memories.map((_, mine) => makeFlows(77, makeCounters(), { memories, mine, capacity }))
}

/** Flow number `n`: from port n of client n. */
function put(t: Flows, n: number, state = PHASE_OPENING, nowSeconds = 0): number {
  const row = takeRow(t)
  const at = row << FLOW_SHIFT
  const { rows } = t.own
  rows[at + FLOW_KIND] = KIND
  rows[at + FLOW_CLIENT] = n
  rows[at + FLOW_VIRTUAL] = 1000
  rows[at + FLOW_PORTS] = n << 16 | 80
  rows[at + FLOW_BACKEND] = 2000
  rows[at + FLOW_SOURCE] = n
  rows[at + FLOW_REPLY_PORTS] = 80 << 16 | n & 0xffff
  rows[at + FLOW_BACKEND_ID] = n % 7
  return enterFlow(t, row, state, 1, nowSeconds)
}

const find = (t: Flows, n: number) => findForward(t, KIND, n, 1000, n << 16 | 80)
const findBack = (t: Flows, n: number) => findReply(t, KIND, 2000, n, 80 << 16 | n & 0xffff)
const used = (t: Flows) => t.own.head[SHARD_USED]!

test('what is put in is found by both keys, and nothing else is', t => {
  const action = fc.record({ n: fc.nat(90), isPut: fc.boolean() })
  fc.assert(fc.property(fc.array(action, { maxLength: 300 }), actions => {
    const [flows] = makeTable(64)
    const there = new Set<number>()
    for (const { n, isPut } of actions) {
      if (isPut && !there.has(n) && there.size < 64) {
        put(flows!, n)
        there.add(n)
      } else if (!isPut && there.has(n)) {
        removeFlow(flows!, find(flows!, n) & ROW_MASK)
        there.delete(n)
      }
    }
    for (let n = 0; n <= 90; n++) {
      t.is(find(flows!, n) !== NO_FLOW, there.has(n))
      t.is(find(flows!, n), findBack(flows!, n))
    }
    t.is(used(flows!), there.size)
    const { active, inactive } = flows!.own
    t.is([...active, ...inactive].reduce((sum, count) => sum + count), there.size)
  }), { numRuns: 300 })
})

const TIMES: [name: string, begin: (t: Flows) => number, seconds: number][] = [
  ['half open', t => put(t, 1), OPENING_SECONDS],
  ['open', t => put(t, 1, STATE_IN_MIDDLE), ESTABLISHED_SECONDS],
  ['one side is done', t => {
    const flow = put(t, 1, STATE_IN_MIDDLE)
    trackForward(t, flow, FIN | ACK, 0)
    return flow
  }, ESTABLISHED_SECONDS],
  ['both are done', t => {
    const flow = put(t, 1, STATE_IN_MIDDLE)
    trackForward(t, flow, FIN | ACK, 0)
    trackReply(t, flow, FIN | ACK, 0)
    return flow
  }, CLOSING_SECONDS],
  ['reset by the client', t => {
    const flow = put(t, 1, STATE_IN_MIDDLE)
    trackForward(t, flow, RST, 0)
    return flow
  }, CLOSED_SECONDS],
  ['refused by the backend', t => {
    const flow = put(t, 1)
    trackReply(t, flow, RST | ACK, 0)
    return flow
  }, CLOSED_SECONDS],
  ['UDP', t => put(t, 1, PHASE_DATAGRAMS), DATAGRAMS_SECONDS],
]
for (const [name, begin, seconds] of TIMES) {
  test(`silent for ${seconds} s: ${name}`, t => {
    const [flows] = makeTable(8)
    begin(flows!)
    ageFlows(flows!, seconds - 1, 100)
    t.is(used(flows!), 1)
    ageFlows(flows!, seconds, 100)
    t.is(used(flows!), 0)
    t.is(flows!.counters[COUNT_FLOWS_AGED], 1)
  })
}

test('a connection that was silent for more than two hours is there still', t => {
  const [flows] = makeTable(8)
  const flow = put(flows!, 1, STATE_IN_MIDDLE)
  const seconds = 2 * 3600 + 11 * 60
  ageFlows(flows!, seconds, 100)
  t.is(find(flows!, 1), flow)
  touchFlow(flows!, flow, seconds)
  ageFlows(flows!, 2 * seconds, 100)
  t.is(find(flows!, 1), flow)
})

test('a recorded connection: handshake, requests, close', t => {
  const [flows] = makeTable(8)
  const flow = put(flows!, 1)
  const sizes = () => [...flows!.own.head.subarray(SHARD_SIZE, SHARD_SIZE + PHASES)]
  // tcpdump of one curl: > S, < S., > ., > P., < ., < P., > ., > F., < F., > .
  const steps: [isReply: boolean, flags: number, sizes: number[]][] = [
    [false, SYN, [1, 0, 0, 0, 0]], [true, SYN | ACK, [1, 0, 0, 0, 0]],
    [false, ACK, [0, 1, 0, 0, 0]], [false, ACK | 8, [0, 1, 0, 0, 0]], [true, ACK, [0, 1, 0, 0, 0]],
    [true, ACK | 8, [0, 1, 0, 0, 0]], [false, ACK, [0, 1, 0, 0, 0]],
    [false, FIN | ACK, [0, 1, 0, 0, 0]], [true, FIN | ACK, [0, 0, 1, 0, 0]],
    [false, ACK, [0, 0, 1, 0, 0]],
  ]
  steps.forEach(([isReply, flags, expected], n) => {
    t.true(isReply ? trackReply(flows!, flow, flags, n) : trackForward(flows!, flow, flags, n))
    t.deepEqual(sizes(), expected, `step ${n}`)
  })
  t.false(trackForward(flows!, flow, SYN, 20), 'the port is used again: another connection')
  t.is(used(flows!), 0)
})

test('a second SYN of an open connection is passed on, for its backend to judge', t => {
  const [flows] = makeTable(8)
  const flow = put(flows!, 1, STATE_IN_MIDDLE)
  t.true(trackForward(flows!, flow, SYN, 0))
  t.is(find(flows!, 1), flow)
})

test('what is over does not live longer for what still comes', t => {
  const [flows] = makeTable(8)
  const flow = put(flows!, 1, STATE_IN_MIDDLE)
  trackForward(flows!, flow, RST, 0)
  for (let now = 1; now <= CLOSED_SECONDS; now++) {
    t.is(used(flows!), 1)
    trackForward(flows!, flow, ACK, now)
    ageFlows(flows!, now, 100)
  }
  t.is(used(flows!), 0)
})

test('a full table lets go of what is half open first, and of that the oldest', t => {
  const [flows] = makeTable(6)
  put(flows!, 1, STATE_IN_MIDDLE, 0)
  put(flows!, 2, PHASE_DATAGRAMS, 1)
  const closing = put(flows!, 3, STATE_IN_MIDDLE, 2)
  trackForward(flows!, closing, FIN | ACK, 2)
  trackReply(flows!, closing, FIN | ACK, 2)
  put(flows!, 4, PHASE_OPENING, 3)
  put(flows!, 5, PHASE_OPENING, 3)
  trackForward(flows!, put(flows!, 6, STATE_IN_MIDDLE, 3), RST, 3)
  touchFlow(flows!, find(flows!, 4), 4)
  const gone: number[] = []
  for (let n = 10; n < 16; n++) {
    put(flows!, n, STATE_IN_MIDDLE, 5)
    for (const one of [1, 2, 3, 4, 5, 6]) {
      if (find(flows!, one) === NO_FLOW && !gone.includes(one)) gone.push(one)
    }
  }
  t.deepEqual(gone, [5, 4, 6, 3, 2, 1])
  t.is(flows!.counters[COUNT_FLOWS_EVICTED], 6)
  t.is(used(flows!), 6)
})

test('no more ages in one breath than was asked for', t => {
  const [flows] = makeTable(100)
  for (let n = 0; n < 100; n++) put(flows!, n)
  t.true(ageFlows(flows!, OPENING_SECONDS, 60))
  t.is(used(flows!), 40)
  t.false(ageFlows(flows!, OPENING_SECONDS, 60))
  t.is(used(flows!), 0)
})

// ---- several workers ----

test('what one worker knows the other finds, in both directions', t => {
  const [one, two] = makeTable(16, 2)
  for (let n = 0; n < 16; n++) put(n % 2 === 0 ? one! : two!, n)
  for (let n = 0; n < 16; n++) {
    t.is(find(one!, n), find(two!, n))
    t.is(findBack(one!, n), find(two!, n))
    t.not(find(one!, n), NO_FLOW)
  }
  t.is(find(one!, 99), NO_FLOW)
})

test('a connection whose answers come by another worker opens and closes', t => {
  const [one, two] = makeTable(8, 2)
  const flow = put(one!, 1)
  const size = (phase: number) => one!.own.head[SHARD_SIZE + phase]
  t.true(trackReply(two!, findBack(two!, 1), SYN | ACK, 0))
  trackForward(one!, flow, ACK, 0)
  t.is(size(PHASE_ESTABLISHED), 1)
  trackReply(two!, findBack(two!, 1), FIN | ACK, 1)
  t.is(size(PHASE_ESTABLISHED), 1)
  trackForward(one!, flow, FIN | ACK, 1)
  t.deepEqual([size(PHASE_ESTABLISHED), size(2)], [0, 1])
  t.true(trackForward(two!, flow, SYN, 2), 'whose it is not removes nothing')
  t.is(used(one!), 1)
})

test('what only the other worker hears of does not age, and stands in no other one\'s way', t => {
  const [one, two] = makeTable(8, 2)
  put(one!, 1, PHASE_DATAGRAMS)
  put(one!, 2, PHASE_DATAGRAMS)
  for (let now = 10; now < 2 * DATAGRAMS_SECONDS; now += 10) {
    touchFlow(two!, findBack(two!, 1), now)
    ageFlows(one!, now, 100)
    t.is(find(one!, 2) !== NO_FLOW, now < DATAGRAMS_SECONDS)
  }
  t.not(find(one!, 1), NO_FLOW)
  ageFlows(one!, 3 * DATAGRAMS_SECONDS, 100)
  t.is(used(one!), 0)
})

test('flows are listed, of all workers', t => {
  const [one, two] = makeTable(8, 2)
  put(one!, 1, STATE_IN_MIDDLE, 5)
  put(two!, 2, PHASE_DATAGRAMS, 6)
  for (const flows of [one!, two!]) ageFlows(flows, 10, 100)
  const rows = makeFlowRows(one!.shards, () => true, 10)
  t.like(rows, [{ protocol: 6, vni: 4097, client: 1, clientPort: 1, virtual: 1000, virtualPort: 80,
    backend: 2000, backendPort: 80, phase: PHASE_ESTABLISHED, idleSeconds: 5 },
  { client: 2, phase: PHASE_DATAGRAMS, idleSeconds: 4 }])
  t.is(makeFlowRows(one!.shards, () => true, 1).length, 1)
  t.is(makeFlowRows(one!.shards, mark => mark === 5, 10).length, 0)
})
