// A million damaged datagrams and streams. Nothing may be thrown, every refusal has a fault of the
// list, what is read can be written and read again, and neither time nor memory grow with what
// somebody sends. One round can be repeated by its seed:
//
//   TAPMESH_FUZZ_SEED=7946 TAPMESH_FUZZ_DATAGRAMS=1000000 npx ava src/cluster/mesh-fuzz.test.ts
import test from 'ava'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pick, makeRandom } from '../base/prng.ts'
import type { Random32 } from '../base/prng.ts'
import { decodeMessage } from '../wire/memberlist/decode.ts'
import { encodeMessage, encodeStreamMessage } from '../wire/memberlist/encode.ts'
import { MEMBERLIST_FAULTS } from '../wire/memberlist/faults.ts'
import {
  encodeCompound, encodeCompressed, MESSAGES_MAX, PACKET_OCTETS_MAX, PARTS_MAX, withChecksum,
} from '../wire/memberlist/frames.ts'
import type { PacketMessage, StreamMessage } from '../wire/memberlist/messages.ts'
import { decodeStreamMessage } from '../wire/memberlist/stream-decoder.ts'
import { goVectors } from '../wire/memberlist/vectors.test-kit.ts'
import { hexOf, octetsOf } from '../wire/vectors.test-kit.ts'
import { openPacket } from './mesh-packet.ts'
import { seal } from './mesh-seal.ts'
import { StreamReader } from './mesh-stream.ts'
import { decodeDrain, encodeDrain } from './services/drain-message.ts'

const SEED = Number(process.env['TAPMESH_FUZZ_SEED'] ?? 7946)
const DATAGRAMS = Number(process.env['TAPMESH_FUZZ_DATAGRAMS'] ?? 1_000_000)
const BATCHES = 50
/** Of the processor, for all; a machine that does other things, too, is no reason to fail. */
const CPU_MAX_MS = 60_000 + DATAGRAMS * 0.12
/** The slowest one. A datagram can make us unpack 64 KiB; the rest is the collector's pause. */
const ONE_MAX_MS = 1000
/** What is still held when the collector has been there. */
const GROWTH_MAX_OCTETS = 16 * 1024 * 1024
/** Whatever the collector does: all that the process ever had. */
const RESIDENT_MAX_OCTETS = 512 * 1024 * 1024
const STREAM_OCTETS_LIMIT = 256 * 1024

const KEYS = [octetsOf('00'.repeat(32)), octetsOf('11'.repeat(16))]
const LABEL = 'mesh'
const LABEL_OCTETS = Buffer.from(LABEL)
const faults = new Set<string>(MEMBERLIST_FAULTS)

const golden = [...goVectors()].filter(([name]) => !name.startsWith('lzw')).map(([, hex]) => hex)
const alive = goVectors().get('alive')!
const drain = encodeDrain({ kind: 'told', from: 'n'.repeat(25), tasks: ['a'.repeat(25), 'b'] })
const corpus: Uint8Array[] = [
  ...golden,
  encodeMessage({ type: 'user', octets: drain }),
  encodeCompressed(encodeCompound([alive, alive, alive])),
  withChecksum(encodeCompressed(encodeCompound(golden.slice(0, 10)))),
  encodeCompound([encodeCompressed(alive), encodeCompound([alive, alive]), alive]),
  encodeCompressed(encodeCompressed(encodeCompressed(alive))),
  octetsOf('07010000'),
  octetsOf(hexOf(alive).replace('a8' + '726f6c653d6d6772', `da0208${'6d'.repeat(520)}`)),
]
/** Those that cost most to look at; the others are damaged more often. */
const large: Uint8Array[] = [
  encodeCompressed(new Uint8Array(60_000).fill(8)),
  encodeCompound([1, 2].map(() => encodeCompressed(new Uint8Array(40_000).fill(8)))),
  encodeCompound(Array.from({ length: MESSAGES_MAX }, () => octetsOf('08'))),
  encodeCompound([1, 2, 3].map(() =>
    encodeCompound(Array.from({ length: 100 }, () => octetsOf('0b80'))))),
]
const someone = decodeMessage(alive)
const node = 'message' in someone && someone.message.type === 'alive' ? [someone.message] : []
const streams: Uint8Array[] = [
  encodeStreamMessage({
    type: 'push-pull', join: true, userState: octetsOf('010203'),
    nodes: [...node, ...node, ...node].map(known => ({ ...known, state: 'alive' as const })),
  }),
  encodeStreamMessage({ type: 'user', octets: new Uint8Array(40) }),
  encodeStreamMessage({ type: 'error', text: 'no' }),
]

/** Octets that mean something somewhere: types, heads of MessagePack, ends of number ranges. */
const EDGES = [
  0, 1, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
  0xc2, 0xc4, 0xc6, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd3, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
  0xe0, 0xf4, 0xff,
]

function mutate(random: Random32, octets: Uint8Array): Uint8Array {
  const at = pick(random, octets.length + 1)
  // Most of what decides stands near the start.
  const headAt = pick(random, Math.min(octets.length, 24) + 1)
  const other = corpus[pick(random, corpus.length)]!
  const copy = Uint8Array.from(octets)
  switch (pick(random, 8)) {
    case 0: copy[at] = copy[at]! ^ 1 << pick(random, 8); return copy
    case 1: copy[headAt] = EDGES[pick(random, EDGES.length)]!; return copy
    case 2: copy[at] = EDGES[pick(random, EDGES.length)]!; return copy
    case 3: return copy.slice(0, at)
    case 4: copy.copyWithin(headAt, at, at + pick(random, 40)); return copy
    case 5: return Buffer.concat([copy.subarray(0, at), other.subarray(0, 64), copy.subarray(at)])
    case 6: return Buffer.concat([copy.subarray(0, headAt), copy.subarray(at)])
    default: copy[at] = random(); return copy
  }
}

function mutated(random: Random32, from: readonly Uint8Array[]): Uint8Array {
  let octets = from[pick(random, from.length)]!
  for (let changes = 1 + pick(random, 4); changes > 0; changes -= 1) octets = mutate(random, octets)
  return octets
}

function sealedWith(random: Random32, octets: Uint8Array, bound: Uint8Array): Uint8Array {
  const nonce = (wanted: number) => Uint8Array.from({ length: wanted }, () => random())
  const version = pick(random, 2) === 0 ? 0 : 1
  return seal(octets, KEYS[pick(random, 2)]!, bound, version, nonce)
}

/** What was opened, for the sums that show that the fuzz gets far enough. */
const sums = { messages: 0, faults: new Map<string, number>(), streams: 0, drains: 0 }

function lookAt(found: { messages: readonly PacketMessage[]; faults: readonly string[] }): void {
  if (found.messages.length + found.faults.length > 2 * PARTS_MAX + 2) throw new Error('too many')
  let octets = 0
  for (const message of found.messages) {
    const encoded = encodeMessage(message)
    const again = decodeMessage(encoded)
    if (!('message' in again)) throw new Error(`read, but not again: ${hexOf(encoded)}`)
    if (hexOf(encodeMessage(again.message)) !== hexOf(encoded)) throw new Error('another message')
    if (message.type !== 'user') continue
    octets += message.octets.length
    lookAtDrain(message.octets)
  }
  if (octets > 2 * PACKET_OCTETS_MAX) throw new Error('opened to too much')
  sums.messages += found.messages.length
  found.faults.forEach(count)
}

/** What the program above reads of it. */
function lookAtDrain(octets: Uint8Array): void {
  const read = decodeDrain(octets)
  if (read === null) return
  if (hexOf(encodeDrain(read)) !== hexOf(octets)) throw new Error('another one about a drain')
  sums.drains += 1
}

function count(fault: string): void {
  if (!faults.has(fault)) throw new Error(`no fault of the list: ${fault}`)
  sums.faults.set(fault, (sums.faults.get(fault) ?? 0) + 1)
}

function datagram(random: Random32): Uint8Array {
  const octets = mutated(random, pick(random, 64) === 0 ? large : corpus)
  const none = new Uint8Array(0)
  switch (pick(random, 12)) {
    case 0: // damaged inside the seal
      lookAt(openPacket(sealedWith(random, octets, none), { label: '', keys: KEYS }))
      break
    case 1: { // and outside
      const sealed = mutate(random, sealedWith(random, octets.subarray(0, 1400), LABEL_OCTETS))
      const labelled = Buffer.concat([Uint8Array.of(0xf4, 4), LABEL_OCTETS, sealed])
      lookAt(openPacket(labelled, { label: LABEL, keys: KEYS }))
      return labelled
    }
    case 2: lookAt(openPacket(octets, { label: pick(random, 2) === 0 ? LABEL : '', keys: KEYS }))
      break
    case 3: lookAt(openPacket(withChecksum(octets), { label: '', keys: [] })); break
    default: lookAt(openPacket(octets, { label: '', keys: [] }))
  }
  return octets
}

function stream(random: Random32): void {
  const inside = mutated(random, streams)
  const sealKey = pick(random, 3) === 0
  const packed = pick(random, 3) === 0 ? encodeCompressed(inside) : inside
  let octets = pick(random, 4) === 0 ? mutate(random, packed) : packed
  if (sealKey) {
    const header = Buffer.from([10, 0, 0, 0, 0])
    header.writeUInt32BE(packed.length + 29, 1)
    octets = Buffer.concat([header, seal(packed, KEYS[1]!, header, 1, n => new Uint8Array(n))])
  }
  const reader = new StreamReader({
    label: '', keys: sealKey ? KEYS : [], side: 'caller', octetsMax: STREAM_OCTETS_LIMIT,
  })
  const step = 1 + pick(random, octets.length + 1)
  for (let at = 0; at < octets.length; at += step) reader.push(octets.subarray(at, at + step))
  const result = reader.end()
  sums.streams += 1
  if ('fault' in result) count(result.fault)
  else writeAgain(result.message)
}

function writeAgain(message: StreamMessage): void {
  const encoded = encodeStreamMessage(message)
  const again = decodeStreamMessage(encoded)
  if (!('message' in again)) throw new Error(`read, but not again: ${hexOf(encoded)}`)
  if (hexOf(encodeStreamMessage(again.message)) !== hexOf(encoded)) throw new Error('another one')
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function memoryOctets(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const startCpuMs = cpuMs()
const startOctets = memoryOctets()
let slowestMs = 0

// In batches: the runner wants to see from time to time that something happens.
for (let batch = 0; batch < BATCHES; batch += 1) {
  test.serial(`damaged datagrams, seed ${SEED}, part ${batch + 1} of ${BATCHES}`, t => {
    const rounds = Math.ceil(DATAGRAMS / BATCHES)
    for (let i = 0; i < rounds; i += 1) {
      const round = batch * rounds + i
      const random = makeRandom(SEED + round)
      const startedMs = performance.now()
      try {
        if (pick(random, 8) === 0) stream(random)
        else datagram(random)
      } catch (error) {
        const again = `TAPMESH_FUZZ_SEED=${SEED + round} TAPMESH_FUZZ_DATAGRAMS=${BATCHES}`
        throw new Error(`round ${round}: ${String(error)}; again: ${again}`, { cause: error })
      }
      slowestMs = Math.max(slowestMs, performance.now() - startedMs)
    }
    t.true(memoryOctets() - startOctets < GROWTH_MAX_OCTETS)
  })
}

test.serial('time was bounded, and the damage reached every corner', t => {
  t.true(cpuMs() - startCpuMs < CPU_MAX_MS, `${cpuMs() - startCpuMs} ms`)
  t.true(process.resourceUsage().maxRSS * 1024 < RESIDENT_MAX_OCTETS)
  t.true(slowestMs < ONE_MAX_MS, `the slowest took ${slowestMs} ms`)
  const seen = [...sums.faults.keys()].sort()
  t.log({ cpuMs: Math.round(cpuMs() - startCpuMs), slowestMs: Math.round(slowestMs), ...sums })
  if (DATAGRAMS < 1_000_000) return
  t.deepEqual(seen, [...faults].sort())
  t.true(sums.messages > DATAGRAMS / 20)
  t.true(sums.drains > DATAGRAMS / 1000)
})
