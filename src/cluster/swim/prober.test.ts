// Who is probed and when, what happens without an answer, and what is done for others.
import test from 'ava'
import type { PingMessage } from '../../wire/memberlist/messages.ts'
import { alive, at, Bench, dead, sentOf, suspect, type Sent } from './swim.test-kit.ts'
import { LAN_TIMINGS } from './timings.ts'

const MEMBERS: [string, number, number][] = [['a', 2, 1], ['b', 3, 1], ['c', 4, 1], ['d', 5, 1]]
const NOTHING = new Uint8Array(0)

function pings(sent: readonly Sent[]): PingMessage[] {
  return sent.flatMap(({ message }) => message.type === 'ping' ? [message] : [])
}

/** A bench on which a probe has just begun, and of whom. */
function probing(options = {}): { bench: Bench; ping: PingMessage; host: string } {
  const bench = new Bench(MEMBERS, options)
  for (let i = 0; i < 2000; i += 1) {
    bench.runFor(1)
    const found = bench.takeSent().find(({ message }) => message.type === 'ping')
    if (found?.message.type === 'ping') {
      return { bench, ping: found.message, host: found.to.split(':')[0]! }
    }
  }
  throw new Error('nobody is probed')
}

test('one member per second is probed, each once in a round of a shuffled ring', t => {
  const bench = new Bench(MEMBERS)
  const probed: string[] = []
  for (let second = 0; second < 40; second += 1) {
    bench.runFor(1000, true)
    const names = pings(bench.takeSent()).map(({ node }) => node)
    t.is(names.length, 1)
    probed.push(...names)
  }
  for (const [name] of MEMBERS) {
    const places = probed.flatMap((node, i) => node === name ? [i] : [])
    const gaps = places.slice(1).map((place, i) => place - places[i]!)
    t.true(Math.max(...gaps) <= 2 * MEMBERS.length - 1, `${name} in ${probed.join(' ')}`)
    t.true(places.length >= 9)
  }
  t.is(bench.swim.counters.probesFailed, 0)
})

test('who does not answer is asked through three others and a stream, then suspected', t => {
  const { bench, host, ping } = probing()
  bench.runFor(LAN_TIMINGS.probeTimeoutMs)
  const indirect = bench.effects.flatMap(effect => effect.type === 'exchange' ? [effect] : [])
  t.is(indirect.length, 1)
  t.like(indirect[0], { to: { host }, timeoutMs: 500, message: { type: 'ping' } })
  const asked = bench.takeSent().filter(({ message }) => message.type === 'indirect-ping')
  t.is(asked.length, 3)
  t.false(asked.some(({ to }) => to.startsWith(host)))
  t.like(asked[0]?.message, { node: ping.node, nack: true, sequenceNumber: ping.sequenceNumber })
  bench.runFor(LAN_TIMINGS.probeIntervalMs - LAN_TIMINGS.probeTimeoutMs)
  t.is(bench.state(ping.node), 'suspect')
  t.is(bench.swim.health, 3, 'no helper said anything: it may be us')
})

test('nacks show that the fault is not ours', t => {
  const { bench, ping } = probing()
  bench.runFor(LAN_TIMINGS.probeTimeoutMs)
  for (const host of [2, 3, 4]) {
    bench.hear(at(host), { type: 'nack', sequenceNumber: ping.sequenceNumber })
  }
  bench.runFor(LAN_TIMINGS.probeIntervalMs - LAN_TIMINGS.probeTimeoutMs)
  t.is(bench.state(ping.node), 'suspect')
  t.is(bench.swim.health, 0)
})

test('an answer that came through a helper or a stream is an answer', t => {
  const byHelper = probing()
  byHelper.bench.runFor(LAN_TIMINGS.probeTimeoutMs)
  const { sequenceNumber } = byHelper.ping
  byHelper.bench.hear(at(99), { type: 'ack', sequenceNumber, payload: null })
  byHelper.bench.runFor(500)
  t.is(byHelper.bench.state(byHelper.ping.node), 'alive')
  t.is(byHelper.bench.swim.member(byHelper.ping.node)?.roundTripMs, 0, 'no round trip')

  const { bench, ping } = probing()
  bench.runFor(LAN_TIMINGS.probeTimeoutMs)
  const exchange = bench.effects.find(effect => effect.type === 'exchange')
  bench.step({
    type: 'exchanged', id: exchange?.type === 'exchange' ? exchange.id : 0, reason: '',
    message: { type: 'ack', sequenceNumber: ping.sequenceNumber, payload: null },
  })
  bench.runFor(500)
  t.is(bench.state(ping.node), 'alive')
  t.is(bench.swim.counters.probesOnlyByStream, 1)
})

test('a node in bad health waits longer before it accuses', t => {
  const { bench, host, ping } = probing()
  bench.runFor(1000)
  t.is(bench.swim.health, 3)
  bench.hear({ host, port: 7946 }, alive(ping.node, Number(host.split('.')[3]), 2))
  bench.effects = []
  while (pings(bench.takeSent()).length === 0) bench.runFor(1)
  const suspicions = bench.swim.counters.suspicions
  bench.runFor(3900)
  t.is(bench.swim.counters.suspicions, suspicions)
  bench.runFor(200)
  t.is(bench.swim.counters.suspicions, suspicions + 1)
})

test('a suspect is probed together with the suspicion, so that it can refute', t => {
  const bench = new Bench([['x', 9, 5]])
  bench.hear(at(2), suspect('x', 5, 'a'))
  bench.takeSent()
  bench.runFor(1000, true)
  const effect = bench.effects.find(item => item.type === 'send' && item.parts.length === 2)
  t.deepEqual(sentOf(effect === undefined ? [] : [effect]).map(({ message }) => message.type),
    ['ping', 'suspect'])
})

test('a round trip is measured, and counts for an eighth', t => {
  const { bench, host, ping } = probing()
  bench.nowMs += 8
  bench.hear({ host, port: 7946 }, {
    type: 'ack', sequenceNumber: ping.sequenceNumber, payload: null,
  })
  t.is(bench.swim.member(ping.node)?.roundTripMs, 1)
})

test('pings are answered where they say, or where they came from, if they are for us', t => {
  const bench = new Bench([['a', 2, 1]])
  const ping: PingMessage = {
    type: 'ping', sequenceNumber: 7, node: 'self', sourceAddress: NOTHING, sourcePort: 0,
    sourceNode: '',
  }
  bench.hear(at(2), ping)
  bench.hear(at(2), { ...ping, node: '' })
  bench.hear(at(2), { ...ping, sourceAddress: Uint8Array.of(10, 0, 0, 8), sourcePort: 99 })
  bench.hear(at(2), { ...ping, node: 'other' })
  t.deepEqual(bench.takeSent().map(({ message, to }) => `${to} ${message.type}`), [
    '10.0.0.2:7946 ack', '10.0.0.2:7946 ack', '10.0.0.8:99 ack',
  ])
  t.is(bench.swim.counters.pingsForOthers, 1)
  const answers = bench.step({ type: 'stream', id: 3, from: at(2), message: ping })
  t.like(answers[0], { type: 'answer', id: 3, message: { type: 'ack', sequenceNumber: 7 } })
  t.like(bench.step({ type: 'stream', id: 4, from: at(2), message: { ...ping, node: 'b' } })[0],
    { type: 'answer', id: 4, message: null })
})

test('we ask for others, and say when there was no answer', t => {
  const ask = (answers: boolean) => {
    const bench = new Bench([['a', 2, 1]])
    bench.hear(at(2), {
      type: 'indirect-ping', sequenceNumber: 77, target: Uint8Array.of(10, 0, 0, 9), port: 1234,
      node: 'x', nack: true, sourceAddress: NOTHING, sourcePort: 0, sourceNode: '',
    })
    const [sent] = bench.takeSent()
    t.is(sent?.to, '10.0.0.9:1234')
    if (sent?.message.type !== 'ping') return t.fail('no ping')
    t.is(sent.message.node, 'x')
    const { sequenceNumber } = sent.message
    if (answers) bench.hear(at(9), { type: 'ack', sequenceNumber, payload: null })
    bench.runFor(LAN_TIMINGS.probeTimeoutMs * LAN_TIMINGS.nackPart, true)
    return bench.takeSent().filter(({ message }) => 'sequenceNumber' in message
      && message.sequenceNumber === 77).map(({ message, to }) => `${to} ${message.type}`)
  }
  t.deepEqual(ask(true), ['10.0.0.2:7946 ack'])
  t.deepEqual(ask(false), ['10.0.0.2:7946 nack'])
})

test('who is in doubt is probed at once', t => {
  const bench = new Bench(MEMBERS)
  bench.runFor(1, true)
  bench.step({ type: 'doubt', name: 'c' })
  t.deepEqual(pings(bench.takeSent()).map(({ node }) => node), ['c'])
})

test('a process that stood still accuses nobody for that', t => {
  const { bench, ping } = probing()
  bench.nowMs += 4000
  bench.step({ type: 'tick' })
  t.is(bench.state(ping.node), 'alive')
  t.is(bench.swim.counters.stalls, 1)
  t.is(bench.swim.health, 1)
  bench.hear(at(2), { type: 'ack', sequenceNumber: ping.sequenceNumber, payload: null })
  bench.runFor(500)
  t.is(bench.swim.counters.suspicions, 0)
})

test('suspicions wait as long as the process stood still', t => {
  const bench = new Bench([['x', 9, 5]])
  bench.hear(at(2), suspect('x', 5, 'a'))
  bench.runFor(3000, true)
  bench.nowMs += 10_000
  bench.step({ type: 'tick' })
  t.is(bench.state('x'), 'suspect')
  bench.runFor(3000, true)
  t.is(bench.state('x'), 'dead')
})

test('nobody is probed who is gone', t => {
  const bench = new Bench([['a', 2, 1], ['b', 3, 1]])
  bench.nowMs += LAN_TIMINGS.evidenceMs
  bench.hear(at(3), dead('b', 1, 'b'))
  bench.takeSent()
  bench.runFor(10_000, true)
  t.deepEqual(new Set(pings(bench.takeSent()).map(({ node }) => node)), new Set(['a']))
})
