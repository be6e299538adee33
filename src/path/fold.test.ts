// What is folded of the segments that one read of a TAP brings, and what is not.
import test from 'ava'
import { octetsOf } from '../wire/vectors.test-kit.ts'
import {
  A, B, CWR, ECE, FIN, L4, nameOf, pair, PSH, SEEN, send, sent, takeAll, URG, type Words,
} from './fold.test-kit.ts'
import { station, viewOf, VLAN_10 } from './frames.test-kit.ts'
import { Lab } from './lab.test-kit.ts'
import { faultOf } from './offload.test-kit.ts'
import { ACK, RST, SYN } from './services.test-kit.ts'

const OTHER = { port: 5001 }
const DATA = { payload: 64, flags: PSH | ACK }
const END = { flags: FIN | ACK }
const AFTER = { ...END, sequence: 164 }
const many = (count: number) => Array.from({ length: count }, (_, n) => ({ port: 6000 + n }))

const FOLDED: [name: string, batch: Words[], carried: string[], acks: number, fins: number][] = [
  ['an acknowledgment before data', [{}, DATA], ['PA 100+64'], 1, 0],
  ['an acknowledgment before FIN', [{}, END], ['FA 100'], 1, 0],
  ['FIN behind data', [DATA, AFTER], ['FPA 100+64'], 0, 1],
  ['both', [{}, DATA, AFTER], ['FPA 100+64'], 1, 1],
  ['data that acknowledges more', [{}, { ...DATA, acknowledgment: SEEN + 9 }],
    ['PA 100+64'], 1, 0],
  ['a number that has gone round', [{ acknowledgment: -5 }, { ...DATA, acknowledgment: 5 }],
    ['PA 100+64'], 1, 0],
  ['FIN where sequence numbers go round', [{ ...DATA, sequence: -10 }, { ...END, sequence: 54 }],
    ['FPA 4294967286+64'], 0, 1],
  ['without options', [{ options: '' }, { ...DATA, options: '' }, { ...AFTER, options: '' }],
    ['FPA 100+64'], 1, 1],
  ['with another flow between', [{}, OTHER, DATA, { ...OTHER, ...DATA }, AFTER],
    ['FPA 100+64', 'PA 100+64'], 2, 1],
  ['of two that are alike the last', [{}, {}, DATA], ['A 100', 'PA 100+64'], 1, 0],
  ['data that tells of congestion', [{}, { ...DATA, flags: ACK | ECE | CWR }],
    ['AEW 100+64'], 1, 0],
  ['data with marks in IP', [{}, { ...DATA, ip: { tos: 2 } }, AFTER], ['FPA 100+64'], 1, 1],
  ['checksums that are right already', [{ kind: 'right' }, { ...DATA, kind: 'right' }],
    ['PA 100+64'], 1, 0],
  ['within reach', [{}, ...many(14), DATA], [...many(14).map(() => 'A 100'), 'PA 100+64'], 1, 0],
  ['a super-frame: its last segment has FIN',
    [{}, { ...DATA, payload: 2500, size: 1000 }, { ...END, sequence: 2600 }],
    ['A 100+1000', 'A 1100+1000', 'FPA 2100+500'], 1, 1],
]
for (const [name, batch, carried, acks, fins] of FOLDED) {
  test(`folded: ${name}`, t => {
    const { lab, one, a, b } = pair()
    send(a, batch.map(sent))
    lab.run()
    const got = takeAll(b)
    t.deepEqual(got.map(nameOf), carried)
    t.deepEqual(got.map(faultOf), got.map(() => ''))
    t.is(one.count('tcp.acks_folded'), acks)
    t.is(one.count('tcp.fins_folded'), fins)
    t.is(one.count('frames.tap_in'), batch.length)
    t.is(one.count('octets.tap_in'),
      batch.reduce((sum, words) => sum + sent(words).octets.length, 0))
    t.deepEqual(one.drops(), {})
  })
}

const SACK = '0101 080a 01020304 05060708 0101 050a 00000001 00000009'
const AS_THEY_ARE: [name: string, batch: Words[]][] = [
  ['an acknowledgment alone', [{}]],
  ['several of them', [{}, {}, {}]],
  ['data of another flow', [{}, { ...DATA, ...OTHER }]],
  ['data to another address', [{}, { ...DATA, to: station('10.0.1.77') }]],
  ['the data comes first', [{ ...DATA }, { sequence: 164 }]],
  ['data that acknowledges less', [{}, { ...DATA, acknowledgment: SEEN - 1 }]],
  ['data from further back, sent again', [{}, { ...DATA, sequence: 36 }]],
  ['a probe that asks whether one lives', [{ sequence: 99 }, DATA]],
  ['an acknowledgment that selects', [{ options: SACK }, { ...DATA, options: SACK }]],
  ['only one of both has stamps', [{ options: '' }, DATA]],
  ['one that tells of congestion', [{ flags: ACK | ECE }, DATA]],
  ['one that is pushed', [{ flags: ACK | PSH }, DATA]],
  ['data without acknowledgment', [{}, { ...DATA, flags: PSH }]],
  ['a reset', [{}, { flags: RST | ACK, payload: 3 }]],
  ['a connection that begins', [{}, { flags: SYN | ACK, payload: 3 }]],
  ['urgent data', [{}, { ...DATA, flags: ACK | URG }]],
  ['out of reach', [{}, ...many(15), DATA]],
  ['FIN behind a gap', [DATA, { ...END, sequence: 165 }]],
  ['FIN that is sent again', [DATA, { ...END, sequence: 163 }]],
  ['FIN that acknowledges more', [DATA, { ...AFTER, acknowledgment: SEEN + 1 }]],
  ['FIN with data', [DATA, { ...AFTER, payload: 3 }]],
  ['FIN behind FIN', [{ ...DATA, flags: FIN | ACK }, AFTER]],
  ['FIN behind the beginning', [{ ...DATA, flags: SYN | ACK }, AFTER]],
  ['FIN behind data of another flow', [{ ...DATA, ...OTHER }, AFTER]],
  ['FIN, and the checksum of data is right already', [{ ...DATA, kind: 'right' }, AFTER]],
  ['FIN whose checksum is right already', [DATA, { ...AFTER, kind: 'right' }]],
  ['FIN out of reach', [DATA, ...many(15), AFTER]],
  ['FIN with other options', [DATA, { ...AFTER, options: SACK }]],
  ['in a VLAN', [{ tags: [VLAN_10] }, { ...DATA, tags: [VLAN_10] }]],
  ['behind options of IP', [{ ip: { options: octetsOf('94040000') } },
    { ...DATA, ip: { options: octetsOf('94040000') } }]],
  ['fragments', [{ kind: 'right', ip: { fragment: 0x2000 } },
    { ...DATA, kind: 'right', ip: { fragment: 0x2000 } }]],
  ['not TCP', [{ ip: { protocol: 253 } }, { ...DATA, ip: { protocol: 253 } }]],
]
for (const [name, batch] of AS_THEY_ARE) {
  test(`carried as they are: ${name}`, t => {
    const folding = pair()
    const plain = pair({ folds: false })
    for (const { a, lab } of [folding, plain]) {
      send(a, batch.map(sent))
      lab.run()
    }
    t.deepEqual(takeAll(folding.b), takeAll(plain.b))
    t.is(folding.one.count('tcp.acks_folded') + folding.one.count('tcp.fins_folded'), 0)
  })
}

test('nothing is folded where it is not wanted, and not across two reads', t => {
  for (const folds of [false, true]) {
    const { lab, one, a, b } = pair({ folds })
    for (const batch of folds ? [[{}], [DATA], [AFTER]] : [[{}, DATA, AFTER]]) {
      send(a, batch.map(sent))
      lab.run()
    }
    t.deepEqual(takeAll(b).map(nameOf), ['A 100', 'PA 100+64', 'FA 164'])
    t.is(one.count('tcp.acks_folded') + one.count('tcp.fins_folded'), 0)
  }
})

test('a window that FIN opens is open with it', t => {
  const { lab, a, b } = pair()
  send(a, [{ ...DATA, window: 0 }, { ...AFTER, window: 333 }].map(sent))
  lab.run()
  const [frame] = takeAll(b)
  t.deepEqual([nameOf(frame!), viewOf(frame!).getUint16(L4 + 14), faultOf(frame!)],
    ['FPA 100+64', 333, ''])
})

test('to a neighbour on the same host', t => {
  const lab = new Lab()
  const [a, b] = [lab.host(0).addEndpoint(A.address), lab.host(0).addEndpoint(B.address)]
  send(a, [{}, DATA, AFTER].map(sent))
  lab.run()
  t.deepEqual(takeAll(b).map(nameOf), ['FPA 100+64'])
})
