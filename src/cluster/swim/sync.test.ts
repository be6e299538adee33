// Whole states: joining, finding the dead again, calling seeds, and who cannot be understood.
import test from 'ava'
import type { PushedNode, StreamMessage } from '../../wire/memberlist/messages.ts'
import type { SwimEffect } from './events.ts'
import { EXCHANGES_MAX } from './exchanges.ts'
import { protocolMismatch } from './protocol.ts'
import { at, alive, Bench, dead, pushed } from './swim.test-kit.ts'

type Exchange = Extract<SwimEffect, { type: 'exchange' }>
const NO_STATE = new Uint8Array(0)

function calls(bench: Bench): Exchange[] {
  const found = bench.effects.flatMap(effect => effect.type === 'exchange'
    && effect.message.type === 'push-pull' ? [effect] : [])
  bench.effects = bench.effects.filter(effect => effect.type !== 'exchange')
  return found
}

function answer(bench: Bench, { id }: Exchange, nodes: PushedNode[]): void {
  const message: StreamMessage = { type: 'push-pull', join: false, nodes, userState: NO_STATE }
  bench.step({ type: 'exchanged', id, message, reason: '' })
}

function sentNodes({ message }: Exchange): string[] {
  return message.type === 'push-pull' ? message.nodes.map(({ node }) => node).sort() : []
}

test('a new member first listens, then says that it is there', t => {
  const bench = new Bench()
  bench.step({ type: 'join', seeds: [at(2), at(1)] })
  const [look, ...more] = calls(bench)
  t.is(more.length, 0, 'we do not call ourselves')
  t.deepEqual(sentNodes(look!), [])
  answer(bench, look!, [pushed('a', 2, 5, 'alive'), pushed('b', 3, 5, 'alive')])
  t.is(bench.state('a'), undefined, 'nothing is taken before we are known')
  const [join] = calls(bench)
  t.deepEqual(sentNodes(join!), ['self'])
  t.like(join?.message, { join: true })
  answer(bench, join!, [pushed('a', 2, 5, 'alive'), pushed('b', 3, 5, 'alive')])
  t.is(bench.state('b'), 'alive')
  t.like(bench.effects.find(({ type }) => type === 'joined'), { by: at(2), members: 3 })
  t.true(bench.takeSent().some(({ message, to }) => message.type === 'alive'
    && message.node === 'self' && to === '10.0.0.3:7946'), 'we tell the others ourselves')
})

test('a name that another node has is not taken: we wait and look again', t => {
  const bench = new Bench()
  bench.step({ type: 'join', seeds: [at(2)] })
  answer(bench, calls(bench)[0]!, [pushed('a', 2, 5, 'alive'), pushed('self', 9, 5, 'alive')])
  t.is(calls(bench).length, 0)
  bench.runFor(1000, true)
  t.is(bench.swim.phase, 'waiting')
  t.like(bench.effects.find(({ type }) => type === 'conflict'), { role: 'waiting', there: at(9) })
  bench.takeSent()
  bench.runFor(60_000, true)
  t.is(bench.swim.phase, 'waiting', 'as long as it answers')
  t.true(bench.takeSent().every(({ to }) => to === '10.0.0.9:7946'), 'nobody else hears of us')
  bench.runFor(60_000)
  t.is(bench.swim.phase, 'member')
  t.deepEqual(calls(bench).slice(0, 2).map(({ to }) => to.host).sort(), ['10.0.0.2', '10.0.0.9'])
})

test('our name at an address that is silent is an old one of ours', t => {
  const bench = new Bench()
  bench.step({ type: 'join', seeds: [at(2)] })
  answer(bench, calls(bench)[0]!, [pushed('self', 9, 5000, 'alive')])
  bench.runFor(1000)
  t.is(bench.swim.phase, 'member')
  t.is(bench.swim.self.incarnation, 5001)
  t.deepEqual(sentNodes(calls(bench)[0]!), ['self'])
})

test('a join that fails says why, and the seeds are called again, less and less often', t => {
  const bench = new Bench()
  bench.step({ type: 'join', seeds: [at(2)] })
  const fail = () => {
    for (const { id } of calls(bench)) {
      bench.step({ type: 'exchanged', id, message: null, reason: 'connection refused' })
    }
  }
  fail()
  t.like(bench.effects.find(({ type }) => type === 'join-failed'),
    { by: at(2), reason: 'connection refused' })
  const times: number[] = []
  for (let i = 0; i < 600; i += 1) {
    bench.runFor(100)
    if (bench.effects.some(({ type }) => type === 'exchange')) times.push(bench.nowMs)
    fail()
  }
  t.deepEqual(times.slice(0, 6), [1000, 3000, 7000, 15_000, 25_000, 35_000])
})

test('an error or a state of others that we cannot understand is no join', t => {
  const words: [StreamMessage, RegExp][] = [
    [{ type: 'error', text: 'go away' }, /it says: go away/],
    [{ type: 'ack', sequenceNumber: 1, payload: null }, /answered with ack/],
  ]
  for (const [message, reason] of words) {
    const bench = new Bench()
    bench.step({ type: 'join', seeds: [at(2)] })
    bench.step({ type: 'exchanged', id: calls(bench)[0]!.id, message, reason: '' })
    const failed = bench.effects.find(({ type }) => type === 'join-failed')
    t.regex(failed?.type === 'join-failed' ? failed.reason : '', reason)
  }
  const bench = new Bench()
  bench.step({ type: 'join', seeds: [at(2)] })
  answer(bench, calls(bench)[0]!, [])
  const foreign = pushed('a', 2, 1, 'alive')
  answer(bench, calls(bench)[0]!, [
    { ...foreign, versions: { ...foreign.versions, delegateMin: 2, delegateMax: 5, delegate: 4 } },
  ])
  t.is(bench.state('a'), undefined)
  t.is(bench.swim.counters.protocolMismatches, 1)
  const failed = bench.effects.find(({ type }) => type === 'join-failed')
  t.regex(failed?.type === 'join-failed' ? failed.reason : '', /node self speaks version 0|node a/)
})

test('states are exchanged every 30 s with one member', t => {
  const bench = new Bench([['a', 2, 1], ['b', 3, 1]])
  calls(bench)
  for (let i = 0; i < 4; i += 1) {
    bench.runFor(30_000, true)
    const found = calls(bench)
    t.is(found.length, 1)
    answer(bench, found[0]!, [])
  }
})

test('one dead member is called, again and again', t => {
  const bench = new Bench([['x', 9, 5]])
  bench.nowMs += 2000
  bench.hear(at(2), dead('x', 5, 'a'))
  calls(bench)
  let count = 0
  for (let minute = 0; minute < 60; minute += 1) {
    bench.runFor(60_000)
    for (const call of calls(bench)) {
      count += 1
      t.deepEqual(call.to, at(9))
      t.deepEqual(sentNodes(call), ['self', 'x'])
      bench.step({ type: 'exchanged', id: call.id, message: null, reason: 'no answer' })
    }
  }
  t.true(count > 3500 && count <= 3600, `${count} calls in an hour`)
})

test('in a large cluster all members together call the dead, not each of them', t => {
  const members = Array.from({ length: 20 }, (_, i): [string, number, number] =>
    [`m${i}`, i + 2, 1])
  const bench = new Bench(members)
  bench.nowMs += 2000
  bench.hear(at(3), dead('m0', 1, 'm1'))
  calls(bench)
  bench.runFor(100_000, true)
  const count = calls(bench).filter(({ to }) => to.host === at(2).host).length
  t.true(count >= 1 && count < 15, `${count} of 100`)
})

test('a dead member that speaks is called back at once', t => {
  const bench = new Bench([['x', 9, 5], ['a', 2, 5]])
  bench.nowMs += 2000
  bench.hear(at(2), dead('x', 5, 'a'))
  calls(bench)
  bench.hear(at(9), { type: 'nack', sequenceNumber: 1 })
  bench.hear(at(9), { type: 'nack', sequenceNumber: 2 })
  t.deepEqual(calls(bench).map(({ to }) => to), [at(9)])
})

test('seeds that are no members are called once a minute', t => {
  const bench = new Bench([['a', 2, 1]])
  bench.step({ type: 'join', seeds: [at(2), at(50)] })
  for (const call of calls(bench)) answer(bench, call, [])
  let toStranger = 0
  for (let second = 0; second < 600; second += 1) {
    bench.runFor(1000, true)
    for (const { id, to } of calls(bench)) {
      if (to.host === at(50).host) toStranger += 1
      bench.step({ type: 'exchanged', id, message: null, reason: 'nobody' })
    }
  }
  t.true(toStranger >= 9 && toStranger <= 11, `${toStranger} calls in ten minutes`)
})

test('there is a limit of streams that we open', t => {
  const bench = new Bench()
  for (let i = 0; i < EXCHANGES_MAX + 20; i += 1) bench.step({ type: 'join', seeds: [at(2)] })
  t.is(calls(bench).length, EXCHANGES_MAX)
  t.is(bench.swim.counters.exchangesFull, 20)
})

test('who left can join again', t => {
  const bench = new Bench([['a', 2, 1]])
  const { incarnation } = bench.swim.self
  bench.step({ type: 'leave' })
  bench.runFor(1000)
  bench.step({ type: 'join', seeds: [at(2)] })
  t.is(bench.swim.phase, 'member')
  t.is(bench.swim.self.state, 'alive')
  t.true(bench.swim.self.incarnation > incarnation)
})

const speaker = (name: string, from: number, to: number, current: number, delegate = 0) => ({
  name, state: 'alive' as const, versions: {
    protocolMin: from, protocolMax: to, protocol: current, delegateMin: 0, delegateMax: delegate,
    delegate,
  },
})
const mismatches: [name: string, speakers: ReturnType<typeof speaker>[], why: RegExp | null][] = [
  ['alike', [speaker('a', 1, 5, 2), speaker('b', 1, 5, 2)], null],
  ['one speaks more than the other understands', [speaker('a', 1, 2, 2), speaker('b', 1, 5, 4)],
    /node b speaks protocol 4, and all understand only 1 to 2/],
  ['programs differ', [speaker('a', 1, 5, 2, 0), speaker('b', 1, 5, 2, 3)], /program of node b/],
]
for (const [name, speakers, why] of mismatches) {
  test(`protocols: ${name}`, t => {
    const mismatch = protocolMismatch(speakers)
    if (why === null) t.is(mismatch, null)
    else t.regex(mismatch ?? '', why)
  })
}

test('a claim of another address for a live member: who answers there is a namesake', t => {
  const outcome = (heldAnswers: boolean, claimedAnswers: boolean, incarnation: number) => {
    const bench = new Bench([['x', 9, 50], ['a', 2, 1]])
    bench.runFor(2000, to => !to.startsWith('10.0.0.9'))
    if (bench.state('x') === 'suspect') bench.hear(at(9), alive('x', 9, 51))
    bench.nowMs += 1600
    bench.effects = []
    bench.hear(at(2), alive('x', 8, incarnation))
    bench.runFor(1000, to => to.startsWith('10.0.0.9') ? heldAnswers
      : !to.startsWith('10.0.0.8') || claimedAnswers)
    const conflict = bench.effects.find(({ type }) => type === 'conflict')
    return `${bench.swim.member('x')?.address.host} ${conflict === undefined ? '' : 'conflict'}`
  }
  t.is(outcome(true, true, 60), '10.0.0.9 conflict')
  t.is(outcome(false, true, 60), '10.0.0.8 ', 'it has moved')
  t.is(outcome(false, true, 40), '10.0.0.9 ', 'old news')
  t.is(outcome(true, false, 60), '10.0.0.9 ', 'nobody is there')
  t.is(outcome(false, false, 60), '10.0.0.9 ', 'nobody is anywhere')
})
