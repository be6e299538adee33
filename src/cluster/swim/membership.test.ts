// Which word about a member wins: memberlist's rules, and those that go beyond it.
import test from 'ava'
import type { NodeState, PacketMessage } from '../../wire/memberlist/messages.ts'
import { ACCUSED_INCARNATION_MAX, CLAIMED_INCARNATION_MAX } from './incarnations.ts'
import { LAN_TIMINGS } from './timings.ts'
import { alive, at, Bench, dead, pushed, SELF_INCARNATION, suspect } from './swim.test-kit.ts'

const QUIET_MS = LAN_TIMINGS.evidenceMs + 1

/** A member "x" at 10.0.0.9, incarnation 50, in this state, and two others. */
function benchWith(state: NodeState): Bench {
  const bench = new Bench([['x', 9, 50], ['a', 2, 10], ['b', 3, 10]])
  bench.runFor(QUIET_MS, to => !to.startsWith('10.0.0.9'))
  if (state === 'suspect') bench.hear(at(2), suspect('x', 50, 'a'))
  if (state === 'dead') bench.hear(at(2), dead('x', 50, 'a'))
  if (state === 'left') bench.hear(at(9), dead('x', 50, 'x'))
  bench.effects = []
  return bench
}

type Rule = [before: NodeState, message: PacketMessage, after: NodeState, incarnation: number]
const rules: Rule[] = [
  ['alive', alive('x', 9, 49), 'alive', 50],
  ['alive', alive('x', 9, 50), 'alive', 50],
  ['alive', alive('x', 9, 51), 'alive', 51],
  ['alive', suspect('x', 49, 'a'), 'alive', 50],
  ['alive', suspect('x', 50, 'a'), 'suspect', 50],
  ['alive', suspect('x', 51, 'a'), 'suspect', 51],
  ['alive', dead('x', 49, 'a'), 'alive', 50],
  ['alive', dead('x', 50, 'a'), 'dead', 50],
  ['alive', dead('x', 50, 'x'), 'left', 50],
  ['alive', dead('x', 49, 'x'), 'alive', 50],
  ['suspect', alive('x', 9, 50), 'suspect', 50],
  ['suspect', alive('x', 9, 51), 'alive', 51],
  ['suspect', suspect('x', 50, 'b'), 'suspect', 50],
  ['suspect', dead('x', 50, 'b'), 'dead', 50],
  ['suspect', dead('x', 49, 'b'), 'suspect', 50],
  ['dead', alive('x', 9, 50), 'dead', 50],
  ['dead', alive('x', 9, 51), 'alive', 51],
  ['dead', alive('x', 8, 51), 'alive', 51],
  ['dead', alive('x', 8, 50), 'dead', 50],
  ['dead', suspect('x', 50, 'b'), 'dead', 50],
  ['dead', dead('x', 50, 'x'), 'left', 50],
  ['left', alive('x', 9, 50), 'left', 50],
  ['left', alive('x', 8, 50), 'left', 50],
  ['left', alive('x', 9, 51), 'alive', 51],
  ['left', dead('x', 50, 'b'), 'left', 50],
  ['alive', suspect('x', ACCUSED_INCARNATION_MAX + 1, 'a'), 'alive', 50],
  ['alive', dead('x', 0xffff_ffff, 'a'), 'alive', 50],
  ['alive', alive('x', 9, CLAIMED_INCARNATION_MAX + 1), 'alive', 50],
]
for (const [before, message, after, incarnation] of rules) {
  const { type } = message
  const said = 'incarnation' in message ? message.incarnation : 0
  const where = message.type === 'alive' ? ` at ${message.address.join('.')}` : ''
  const detail = 'from' in message ? ` by ${message.from}` : where
  test(`${before} member, ${type} ${said}${detail}: ${after}`, t => {
    const bench = benchWith(before)
    bench.hear(at(2), message)
    t.is(bench.state('x'), after)
    t.is(bench.swim.member('x')?.incarnation, incarnation)
  })
}

test('of somebody unknown only "alive" makes a member', t => {
  const bench = new Bench()
  bench.hear(at(2), suspect('x', 1, 'a'), dead('x', 1, 'a'), alive('x', 9, 0))
  t.is(bench.state('x'), undefined)
  t.is(bench.swim.counters.accusationsUnknown, 2)
  bench.hear(at(2), alive('x', 9, 1))
  t.is(bench.state('x'), 'alive')
  t.deepEqual(bench.changes(), ['joined x'])
})

test('versions that make no sense are not believed', t => {
  const bench = new Bench()
  const claim = alive('x', 9, 1)
  bench.hear(at(2), { ...claim, versions: { ...claim.versions, protocolMin: 0 } })
  bench.hear(at(2), { ...claim, versions: { ...claim.versions, protocolMin: 6 } })
  t.is(bench.state('x'), undefined)
  t.is(bench.swim.counters.aliveBadVersions, 2)
})

test('who is accused is told so at once', t => {
  for (const message of [suspect('x', 50, 'a'), dead('x', 50, 'a')]) {
    const bench = benchWith('alive')
    bench.hear(at(2), message)
    t.true(bench.takeSent().some(sent => sent.to === '10.0.0.9:7946'
      && sent.message.type === message.type))
  }
})

test('who was heard a moment ago is not dead because somebody says so', t => {
  const bench = benchWith('alive')
  bench.hear(at(9), { type: 'nack', sequenceNumber: 1 })
  bench.hear(at(2), dead('x', 50, 'a'))
  t.is(bench.state('x'), 'suspect')
  t.is(bench.swim.counters.deathsDoubted, 1)
  bench.hear(at(9), alive('x', 9, 51))
  t.is(bench.state('x'), 'alive')
  t.deepEqual(bench.changes(), ['suspected x', 'recovered x'])
})

test('news of others is passed on once, and old news is not', t => {
  const bench = benchWith('alive')
  bench.hear(at(2), alive('y', 7, 5), alive('y', 7, 5))
  const tells = () => bench.takeSent().filter(({ message }) => message.type === 'alive'
    && message.node === 'y').length
  t.true(tells() > 0)
  bench.runFor(30_000, true)
  bench.effects = []
  bench.hear(at(2), alive('y', 7, 5))
  bench.runFor(2000, true)
  t.is(tells(), 0)
})

test('two other members confirm, and death comes sooner', t => {
  const members: [string, number, number][] = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'x']
    .map((name, i) => [name, i + 2, 10])
  const lifeMs = (accusers: string[]) => {
    const bench = new Bench(members)
    const startMs = bench.nowMs
    for (const accuser of accusers) bench.hear(at(2), suspect('x', 10, accuser))
    while (bench.state('x') === 'suspect') bench.runFor(50, true)
    return bench.nowMs - startMs
  }
  const slow = lifeMs(['a'])
  const middle = lifeMs(['a', 'b'])
  const quick = lifeMs(['a', 'b', 'c'])
  t.true(quick >= 4000 && quick < 4200, `${quick}`)
  t.true(middle > quick + 2000 && slow > middle + 2000, `${quick} ${middle} ${slow}`)
  t.is(lifeMs(['a', 'nobody', 'no one', 'a', 'a']), slow, 'strangers and repeats do not count')
})

test('what another node knows: alive, left, and suspicion in place of death', t => {
  const bench = benchWith('alive')
  bench.hear(at(2), { type: 'nack', sequenceNumber: 1 })
  const answer = bench.step({
    type: 'stream', id: 7, from: at(2), message: {
      type: 'push-pull', join: false, userState: new Uint8Array(0), nodes: [
        pushed('new', 20, 3, 'alive'), pushed('x', 9, 50, 'dead'), pushed('b', 3, 10, 'left'),
        pushed('unknown', 21, 3, 'dead'), pushed('a', 2, 11, 'suspect'),
      ],
    },
  }).find(effect => effect.type === 'answer')
  t.is(bench.state('new'), 'alive')
  t.is(bench.state('x'), 'suspect')
  t.is(bench.state('b'), 'left')
  t.is(bench.state('unknown'), undefined)
  const message = answer?.message
  if (message?.type !== 'push-pull') return t.fail('no state was answered')
  t.deepEqual(message.nodes.map(({ node, state }) => `${node} ${state}`).sort(),
    ['a alive', 'b left', 'new alive', 'self alive', 'x suspect'])
  t.true(bench.takeSent().some(sent => sent.to === '10.0.0.2:7946'
    && sent.message.type === 'suspect' && sent.message.node === 'a'), 'a was heard, and is told')
})

test('who comes back not knowing that it is dead is told', t => {
  const bench = benchWith('dead')
  bench.hear(at(2), alive('x', 9, 50))
  t.deepEqual(bench.takeSent().filter(({ to }) => to === '10.0.0.9:7946').map(sent => sent.message),
    [dead('x', 50, 'self')])
})

test('who suspects the dead is told, and who accuses of old, too', t => {
  const bench = benchWith('dead')
  bench.hear(at(2), suspect('x', 50, 'a'))
  t.like(bench.takeSent()[0], { to: '10.0.0.2:7946', message: { type: 'dead', node: 'x' } })
  const other = benchWith('alive')
  other.hear(at(2), suspect('x', 40, 'a'))
  t.like(other.takeSent()[0], { to: '10.0.0.2:7946', message: { type: 'alive', incarnation: 50 } })
})

test('who left is remembered for a day and then forgotten, who failed is not', t => {
  const bench = benchWith('left')
  bench.hear(at(2), dead('b', 10, 'a'))
  bench.runFor(1000, true)
  for (let hour = 0; hour < 25; hour += 1) bench.runFor(3_600_000, true)
  t.is(bench.state('x'), undefined)
  t.is(bench.state('b'), 'dead')
})

test('a full table makes room by forgetting who is gone, or takes nobody in', t => {
  const bench = new Bench([['a', 2, 1], ['b', 3, 1], ['c', 4, 1]], { membersMax: 4 })
  bench.hear(at(2), alive('d', 5, 1))
  t.is(bench.state('d'), undefined)
  t.is(bench.swim.counters.membersFull, 1)
  bench.runFor(QUIET_MS)
  bench.hear(at(2), dead('b', 1, 'a'), dead('c', 1, 'c'), alive('d', 5, 1))
  t.is(bench.state('d'), 'alive')
  t.is(bench.state('c'), undefined, 'who left goes first')
  t.is(bench.state('b'), 'dead')
})

test('only who is gone can be forgotten on request', t => {
  const bench = benchWith('alive')
  bench.step({ type: 'forget', name: 'x' })
  t.is(bench.state('x'), 'alive')
  bench.hear(at(2), dead('x', 50, 'a'))
  bench.step({ type: 'forget', name: 'x' })
  t.is(bench.state('x'), undefined)
})

test('accusations of ourselves are refuted at once, to who said it and to others', t => {
  for (const message of [
    suspect('self', SELF_INCARNATION, 'a'), dead('self', SELF_INCARNATION + 7, 'a'),
    dead('self', SELF_INCARNATION, 'self'),
  ]) {
    const bench = benchWith('alive')
    const sent = bench.hear(at(77), message) && bench.takeSent()
    t.is(bench.swim.self.incarnation, message.incarnation + 1)
    t.is(bench.swim.self.state, 'alive')
    const told = sent.filter(item => item.message.type === 'alive'
      && item.message.node === 'self' && item.message.incarnation === message.incarnation + 1)
    t.true(told.some(({ to }) => to === '10.0.0.77:7946'))
    t.is(told.length, 4, 'who said it, and three members eagerly')
    t.is(bench.swim.health, 1)
  }
})

test('old accusations of ourselves are answered and change nothing', t => {
  const bench = benchWith('alive')
  bench.hear(at(2), dead('self', SELF_INCARNATION - 1, 'a'))
  t.is(bench.swim.self.incarnation, SELF_INCARNATION)
  t.like(bench.takeSent()[0], { to: '10.0.0.2:7946', message: { type: 'alive', node: 'self' } })
  for (let i = 0; i < 1000; i += 1) bench.hear(at(2), dead('self', 1, 'a'))
  t.true(bench.takeSent().length <= 50, 'not more often than is allowed')
})

test('no accusation is too large to be refuted', t => {
  const bench = benchWith('alive')
  bench.hear(at(2), suspect('self', ACCUSED_INCARNATION_MAX, 'a'))
  t.is(bench.swim.self.incarnation, ACCUSED_INCARNATION_MAX + 1)
  bench.hear(at(2), suspect('self', 0xffff_ffff, 'a'))
  t.is(bench.swim.self.incarnation, ACCUSED_INCARNATION_MAX + 1)
})

test('what we said before a restart is outdone', t => {
  const bench = benchWith('alive')
  bench.hear(at(2), alive('self', 1, SELF_INCARNATION + 5, 'before'))
  t.is(bench.swim.self.incarnation, SELF_INCARNATION + 6)
  t.is(new TextDecoder().decode(bench.swim.self.meta), 'self')
  bench.hear(at(2), alive('self', 1, SELF_INCARNATION + 6))
  t.is(bench.swim.self.incarnation, SELF_INCARNATION + 6, 'our own words come back')
})

test('a leave is told to all and is not refuted', t => {
  const bench = benchWith('alive')
  bench.step({ type: 'leave' })
  const goodbyes = bench.takeSent().filter(({ message }) => message.type === 'dead'
    && message.node === 'self' && message.from === 'self')
  t.deepEqual([...new Set(goodbyes.map(({ to }) => to))].sort(),
    ['10.0.0.2:7946', '10.0.0.3:7946', '10.0.0.9:7946'])
  bench.hear(at(2), dead('self', SELF_INCARNATION, 'self'))
  bench.runFor(1000)
  t.is(bench.swim.phase, 'gone')
  t.is(bench.swim.self.incarnation, SELF_INCARNATION)
  t.true(bench.effects.some(({ type }) => type === 'gone'))
  bench.effects = []
  bench.hear(at(2), { type: 'ping', sequenceNumber: 1, node: 'self', sourceAddress:
    new Uint8Array(0), sourcePort: 0, sourceNode: '' })
  t.deepEqual(bench.effects, [], 'who is gone says nothing')
})

test('other metadata is told with a new incarnation', t => {
  const bench = benchWith('alive')
  bench.step({ type: 'meta', meta: Uint8Array.of(1, 2) })
  t.is(bench.swim.self.incarnation, SELF_INCARNATION + 1)
  t.true(bench.takeSent().some(({ message }) => message.type === 'alive'
    && message.node === 'self' && message.meta.length === 2))
})
