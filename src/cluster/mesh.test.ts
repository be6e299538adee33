// A member of the mesh as a whole: keys are changed without a loss, user messages keep to their
// limits, and whatever comes, well formed or not, it neither throws nor grows.
import test from 'ava'
import { createHash } from 'node:crypto'
import { makeRandom, pick, type Random32 } from '../base/prng.ts'
import { encodeMessage } from '../wire/memberlist/encode.ts'
import type { PacketMessage, PushedNode } from '../wire/memberlist/messages.ts'
import { KEEP_ALIVE } from './keepalive-message.ts'
import { DELIVERIES_MAX, Mesh, USER_OCTETS_MAX } from './mesh.ts'
import type { MeshEffect, MeshKeys } from './mesh-events.ts'
import type { MeshOptions } from './mesh-options.ts'
import { sealPacket } from './mesh-packet.ts'
import { REFUSAL_INTERVAL_MS, Refusals, SOURCES_MAX } from './refusals.ts'
import { SimulatedCluster } from './simulation.test-kit.ts'
import { alive, at } from './swim/swim.test-kit.ts'

const keyOf = (name: string) => createHash('sha256').update(name).digest()
const CLEAR: MeshKeys = { primary: null, all: [] }

function makeMesh(options: Partial<MeshOptions> = {}): Mesh {
  return new Mesh({
    nowMs: 0, random: makeRandom(1), randomOctets: length => new Uint8Array(length), name: 'self',
    address: at(1), epoch: 1000, meta: new Uint8Array(3), label: '', keys: CLEAR, ...options,
  })
}

/** A member that knows "a" at 10.0.0.2. */
function makeMeshWithPeer(options: Partial<MeshOptions> = {}): Mesh {
  const mesh = makeMesh(options)
  mesh.step(1, { type: 'datagram', from: at(2), octets: encodeMessage(alive('a', 2, 5)) })
  return mesh
}

function count(effects: readonly MeshEffect[], type: MeshEffect['type']): number {
  return effects.filter(effect => effect.type === type).length
}

test('a datagram is never longer than 1400 octets, whatever there is to tell', t => {
  for (const label of ['', 'l'.repeat(255)]) {
    for (const key of [null, keyOf('k')]) {
      const keys = key === null ? CLEAR : { primary: key, all: [key] }
      const mesh = makeMesh({ label, keys })
      const terms = {
        label, key, compress: false, checksum: false, random: (n: number) => new Uint8Array(n),
      }
      let longest = 0
      for (let i = 0; i < 200; i += 1) {
        const name = `${i}`.padStart(1 + i, 'n')
        const claim = alive(name, 2 + i % 250, 5, 'm'.repeat(i % 2 === 0 ? 512 : i))
        const octets = sealPacket([encodeMessage(claim)], terms)
        for (const effect of mesh.step(i * 50, { type: 'datagram', from: at(2), octets })) {
          if (effect.type === 'datagram') longest = Math.max(longest, effect.octets.length)
        }
      }
      t.true(longest > 1000 && longest <= 1400, `${longest}`)
      t.is(mesh.swim.members().length, 201)
    }
  }
})

test('keys are changed without losing a message', t => {
  const [first, second, third] = ['first', 'second', 'third'].map(keyOf) as [Buffer, Buffer, Buffer]
  const ring = (primary: Buffer, ...others: Buffer[]): MeshKeys =>
    ({ primary, all: [primary, ...others] })
  const cluster = new SimulatedCluster({
    seed: 1, mesh: { keys: ring(second, first, third), label: 'mesh' },
  })
  const [a, b, c] = cluster.grow(3) as [typeof cluster.nodes[0], typeof cluster.nodes[0],
    typeof cluster.nodes[0]]
  const fourth = keyOf('fourth')
  let sent = 0
  const talk = (forMs: number) => {
    for (let i = 0; i < forMs / 10; i += 1) {
      sent += 1
      a.handle({ type: 'send', to: b.name, octets: Uint8Array.of(0x55, i) })
      b.handle({ type: 'send', to: c.name, octets: Uint8Array.of(0x55, i) })
      c.handle({ type: 'send', to: a.name, octets: Uint8Array.of(0x55, i) })
      cluster.run(10)
    }
  }
  talk(1000)
  // The newest is everywhere before it seals, and the oldest still opens: one after the other.
  for (const node of cluster.nodes) {
    node.handle({ type: 'keys', keys: ring(third, second, fourth) })
    talk(2000)
  }
  for (const node of cluster.nodes) {
    const heard = node.news.filter(({ news }) => news.type === 'user').length
    t.is(heard, sent)
    t.is(node.mesh.refused['no-key-fits'], 0)
    t.is(node.mesh.swim.counters.suspicions, 0)
  }
})

test('user messages: to whom, how long, and how many at a time', t => {
  const mesh = makeMeshWithPeer()
  const send = (to: string, length: number, reliable = false) =>
    mesh.step(2, { type: 'send', to, octets: new Uint8Array(length).fill(0x55), reliable })
  t.is(count(send('a', USER_OCTETS_MAX), 'datagram'), 1)
  t.is(count(send('a', USER_OCTETS_MAX + 1), 'datagram'), 0)
  t.is(count(send('nobody', 1), 'datagram'), 0)
  t.is(count(send('self', 1), 'datagram'), 0)
  t.like(mesh.counters, { userOut: 1, userTooLarge: 1, userUnknown: 2 })
  t.is(count(send('nobody', 1, true), 'undelivered'), 1)
  t.is(count(send('a', 1_000_000, true), 'exchange'), 1)
  for (let i = 1; i < DELIVERIES_MAX; i += 1) send('a', 1, true)
  t.is(count(send('a', 1, true), 'undelivered'), 1)
  const failed = mesh.step(3, { type: 'exchanged', id: 1, read: null, reason: 'refused' })
  t.deepEqual(failed, [{ type: 'undelivered', to: 'a', reason: 'refused' }])
  mesh.step(3, { type: 'exchanged', id: 1, read: null, reason: 'twice' })
  t.is(count(send('a', 1, true), 'exchange'), 1, 'there is room again')
})

test('user messages come with the name of who is at their address', t => {
  const mesh = makeMeshWithPeer()
  const octets = encodeMessage({ type: 'user', octets: Uint8Array.of(0x54, 7) })
  t.like(mesh.step(2, { type: 'datagram', from: at(2), octets })[0], { type: 'user', from: 'a' })
  t.like(mesh.step(2, { type: 'datagram', from: at(9), octets })[0], { type: 'user', from: null })
  const message = { type: 'user' as const, octets: Uint8Array.of(1) }
  const effects = mesh.step(2, { type: 'stream', id: 9, from: at(2), read: { message } })
  t.deepEqual(effects.map(({ type }) => type), ['answer', 'user'])
  t.like(effects[1], { from: 'a' })
})

test('keep-alives are not for the program above, and not for foreign members', t => {
  const mesh = makeMeshWithPeer({ hasKeepAlive: ({ name }) => name !== 'a' })
  const octets = encodeMessage({ type: 'user', octets: Uint8Array.of(KEEP_ALIVE, 1) })
  t.is(count(mesh.step(2, { type: 'datagram', from: at(2), octets }), 'user'), 0)
  t.is(count(mesh.step(2, { type: 'datagram', from: at(9), octets }), 'user'), 0)
  t.is(mesh.counters.keepAlivesUnknown, 1)
  for (let nowMs = 0; nowMs < 3000; nowMs += 100) mesh.step(nowMs, { type: 'tick' })
  t.is(mesh.keepAlive.counters.beatsOut, 0)
})

test('refusals are said once a minute for each source, with how many there were', t => {
  const refusals = new Refusals()
  t.deepEqual(refusals.add(0, 'a', 'why'), { host: 'a', reason: 'why', count: 1 })
  for (let i = 1; i < 100; i += 1) t.is(refusals.add(i, 'a', 'why'), null)
  t.is(refusals.add(1, 'b', 'why')?.count, 1)
  t.deepEqual(refusals.add(REFUSAL_INTERVAL_MS, 'a', 'other'),
    { host: 'a', reason: 'other', count: 100 })
  for (let i = 0; i < 3 * SOURCES_MAX; i += 1) refusals.add(REFUSAL_INTERVAL_MS, `${i}`, 'why')
  t.is(refusals.add(REFUSAL_INTERVAL_MS, 'a', 'why')?.count, 1, 'it was pushed out')
})

const NAMES = ['self', 'a', 'b', 'c', 'd', '', 'é'.repeat(127)]
const NUMBERS = [0, 1, 5, 999, 1000, 1001, 0xefff_ffff, 0xf000_0000, 0xf800_0000, 0xffff_ffff]

/** Any message that can be read, with names and numbers that mean something. */
function anyMessage(random: Random32): PacketMessage {
  const one = <T>(values: readonly T[]) => values[pick(random, values.length)]!
  const node = one(NAMES)
  const from = one(NAMES)
  const incarnation = one(NUMBERS)
  const sequenceNumber = one(NUMBERS)
  const port = one([0, 1, 7946, 65_535])
  const address = one([Uint8Array.of(10, 0, 0, 1 + pick(random, 5)), new Uint8Array(16)])
  const sourceAddress = one([new Uint8Array(0), address])
  const source = { sourceAddress, sourcePort: port, sourceNode: from }
  switch (pick(random, 8)) {
    case 0: return { type: 'ping', sequenceNumber, node, ...source }
    case 1: return {
      type: 'indirect-ping', sequenceNumber, node, target: address, port, nack: true, ...source,
    }
    case 2: return { type: 'ack', sequenceNumber, payload: null }
    case 3: return { type: 'nack', sequenceNumber }
    case 4: return { type: 'suspect', node: node || 'x', from, incarnation }
    case 5: return { type: 'dead', node: node || 'x', from, incarnation }
    case 6: return {
      ...alive(node || 'x', 2, incarnation, one(['', 'm'.repeat(512)])), address, port,
    }
    default: return { type: 'user', octets: Uint8Array.of(KEEP_ALIVE, 1 + pick(random, 2),
      ...Array.from({ length: pick(random, 30) }, () => pick(random, 256))) }
  }
}

test('no sequence of messages makes a member throw, forget itself, or say more than it may', t => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = makeRandom(seed)
    const mesh = makeMesh({ random: makeRandom(seed) })
    let nowMs = 0
    let datagrams = 0
    for (let i = 0; i < 1500; i += 1) {
      nowMs += pick(random, 20)
      const message = anyMessage(random)
      const from = at(1 + pick(random, 6))
      const effects = pick(random, 10) > 0
        ? mesh.step(nowMs, { type: 'datagram', from, octets: encodeMessage(message) })
        : mesh.step(nowMs, { type: 'stream', id: i, from, read: { message: {
          type: 'push-pull', join: true, userState: new Uint8Array(pick(random, 3)),
          nodes: Array.from({ length: pick(random, 4) }, () => anyNode(random)),
        } } })
      datagrams += count(effects, 'datagram')
      if (nowMs >= mesh.nextMs()) mesh.step(nowMs, { type: 'tick' })
    }
    t.is(mesh.swim.phase === 'gone', false, `seed ${seed}`)
    t.true(datagrams < 1500 * 12, `seed ${seed}: ${datagrams}`)
    t.true(mesh.swim.members().length <= NAMES.length + 1)
    t.true(mesh.swim.queued <= mesh.swim.members().length)
  }
})

function anyNode(random: Random32): PushedNode {
  const { type: _, ...claim } = alive(NAMES[pick(random, 5)]!, 1 + pick(random, 5),
    NUMBERS[pick(random, NUMBERS.length)]!)
  return { ...claim, state: (['alive', 'suspect', 'dead', 'left'] as const)[pick(random, 4)]! }
}
