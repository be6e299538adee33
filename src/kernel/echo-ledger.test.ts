// Answers to our requests, and all that only looks like them.
import test from 'ava'
import fc from 'fast-check'
import { makeRandom, pick } from '../base/prng.ts'
import { complementSum, sumOctets } from '../wire/checksum.ts'
import {
  unreachableOctets, ICMP_ECHO_REPLY, ICMP_HEADER_OCTETS, writeFragmentationNeeded,
  writeIcmpEcho,
} from '../wire/icmp.ts'
import { IPV4_HEADER_OCTETS, PROTOCOL_ICMP, writeIpv4Header } from '../wire/ipv4.ts'
import {
  ECHO_OCTETS_MAX, ECHO_OCTETS_MIN, ECHO_OUTSTANDING_MAX, type EchoAnswer, EchoLedger,
  type EchoRefusal,
} from './echo-ledger.ts'

const SEED = Number(process.env['TAPMESH_FUZZ_SEED'] ?? 1)
const HERE = 0xc0a8380b
const PEER = 0xc0a8380c
const ROUTER = 0x0a000201
const STRANGER = 0x08080808
const SEQUENCE = 7
const SIZE = 1500

function ledgerOf(): EchoLedger {
  const random = makeRandom(SEED)
  return new EchoLedger(octets => Uint8Array.from({ length: octets }, () => random() & 0xff))
}

/** An IPv4 packet with this payload. */
function packet(from: number, to: number, payload: Uint8Array, protocol = PROTOCOL_ICMP): Buffer {
  const octets = Buffer.alloc(IPV4_HEADER_OCTETS + payload.length)
  octets.set(payload, IPV4_HEADER_OCTETS)
  writeIpv4Header(viewOf(octets), 0, octets.length, protocol, 64, 0, from, to, 0, false)
  return octets
}

function viewOf(octets: Buffer): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.length)
}

/** What a host makes of our request. */
function replyTo(request: Buffer, over: { id?: number; sequence?: number; from?: number } = {}) {
  const message = Buffer.from(request)
  const id = over.id ?? message.readUInt16BE(4)
  const sequence = over.sequence ?? message.readUInt16BE(6)
  message.fill(0, 0, ICMP_HEADER_OCTETS)
  writeIcmpEcho(viewOf(message), 0, ICMP_ECHO_REPLY, id, sequence, message.length)
  return packet(over.from ?? PEER, HERE, message)
}

/** What a router makes of it. `quoted`: octets of the packet that it quotes. */
function errorOn(request: Buffer, over: {
  type?: number; code?: number; mtu?: number; quoted?: number; to?: number
} = {}): Buffer {
  const original = packet(HERE, over.to ?? PEER, request)
  const message = Buffer.alloc(unreachableOctets(original.length) + original.length)
  original.copy(message, message.length - original.length)
  const octets = writeFragmentationNeeded(viewOf(message), 0, over.mtu ?? 1400,
    message.length - original.length, original.length)
  const sent = Buffer.from(message.subarray(0, Math.min(octets, 8 + (over.quoted ?? octets))))
  sent[0] = over.type ?? 3
  sent[1] = over.code ?? 4
  return packet(ROUTER, HERE, summed(sent))
}

function summed(message: Buffer): Buffer {
  message.writeUInt16BE(0, 2)
  message.writeUInt16BE(complementSum(sumOctets(viewOf(message), 0, message.length, 0)), 2)
  return message
}

/** The packet with one octet changed, and its ICMP checksum right again. */
function changed(octets: Buffer, at: number): Buffer {
  const other = Buffer.from(octets)
  other[at]! ^= 1
  const message = summed(Buffer.from(other.subarray(IPV4_HEADER_OCTETS)))
  message.copy(other, IPV4_HEADER_OCTETS)
  return other
}

const COOKIE_AT = IPV4_HEADER_OCTETS + ICMP_HEADER_OCTETS
const QUOTED_AT = IPV4_HEADER_OCTETS + ICMP_HEADER_OCTETS

type Received = EchoAnswer | EchoRefusal
const rows: [name: string, make: (request: Buffer) => Buffer, answer: Received][] = [
  ['a reply', request => replyTo(request), { type: 'reply', sequence: SEQUENCE, rttMs: 4 }],
  ['another program\'s reply', request => replyTo(request, { id: 1 }), 'unknown'],
  ['a reply to what was never asked', request => replyTo(request, { sequence: 8 }), 'unknown'],
  ['a reply from somebody else', request => replyTo(request, { from: STRANGER }), 'forged'],
  ['a reply with another cookie', request => changed(replyTo(request), COOKIE_AT), 'forged'],
  ['a shorter reply', request => replyTo(request.subarray(0, 600)), 'forged'],
  ['a reply with the header alone', request => replyTo(request.subarray(0, 8)), 'forged'],
  ['a reply with a code', request => changed(replyTo(request), IPV4_HEADER_OCTETS + 1), 'forged'],
  ['our own request', request => packet(PEER, HERE, request), 'unknown'],
  ['fragmentation needed', request => errorOn(request),
    { type: 'too-large', sequence: SEQUENCE, from: ROUTER, mtuOctets: 1400 }],
  ['fragmentation needed, quoting as little as it may', request => errorOn(request, { quoted: 28 }),
    { type: 'too-large', sequence: SEQUENCE, from: ROUTER, mtuOctets: 1400 }],
  ['an old router names no MTU', request => errorOn(request, { mtu: 0 }),
    { type: 'too-large', sequence: SEQUENCE, from: ROUTER, mtuOctets: 0 }],
  ['an MTU that the packet would fit is not believed', request => errorOn(request, { mtu: 1500 }),
    { type: 'too-large', sequence: SEQUENCE, from: ROUTER, mtuOctets: 0 }],
  ['an MTU that no hop has is not believed', request => errorOn(request, { mtu: 67 }),
    { type: 'too-large', sequence: SEQUENCE, from: ROUTER, mtuOctets: 0 }],
  ['unreachable', request => errorOn(request, { code: 1 }),
    { type: 'unreachable', sequence: SEQUENCE, from: ROUTER, code: 1 }],
  ['time exceeded', request => errorOn(request, { type: 11, code: 0 }),
    { type: 'expired', sequence: SEQUENCE, from: ROUTER }],
  ['another ICMP error', request => errorOn(request, { type: 12 }), 'unknown'],
  ['an error that quotes too little', request => errorOn(request, { quoted: 27 }), 'malformed'],
  ['an error about a packet to somebody else', request => errorOn(request, { to: STRANGER }),
    'forged'],
  ['an error with another cookie', request => changed(errorOn(request), QUOTED_AT + 30), 'forged'],
  ['an error about a packet of another length',
    request => changed(errorOn(request), QUOTED_AT + 3), 'forged'],
  ['an error about another program\'s ping', request => changed(errorOn(request), QUOTED_AT + 25),
    'unknown'],
  ['an error about what is no ICMP', request => changed(errorOn(request), QUOTED_AT + 9),
    'unknown'],
  ['a quoted header that is too short', request => changed(errorOn(request), QUOTED_AT),
    'malformed'],
  ['no IPv4', () => Buffer.alloc(60), 'malformed'],
  ['UDP', request => packet(PEER, HERE, request, 17), 'malformed'],
  ['nothing', () => Buffer.alloc(0), 'malformed'],
  ['half a header', request => packet(PEER, HERE, request.subarray(0, 4)), 'malformed'],
  ['cut short', request => replyTo(request).subarray(0, 900), 'malformed'],
]
for (const [name, make, answer] of rows) {
  test(`receive: ${name}`, t => {
    const ledger = ledgerOf()
    const request = ledger.request(PEER, SIZE, SEQUENCE, 100)
    ledger.sent(SEQUENCE, 101)
    t.deepEqual(ledger.receive(make(request), 105), answer)
    const again = typeof answer === 'string' ? { type: 'reply', sequence: SEQUENCE, rttMs: 5 }
      : 'unknown'
    t.deepEqual(ledger.receive(replyTo(request), 106), again as Received,
      'an answer counts once; what is none leaves the question open')
  })
}

test('a damaged checksum is refused', t => {
  const ledger = ledgerOf()
  const reply = replyTo(ledger.request(PEER, 84, SEQUENCE, 0))
  reply[50]! ^= 1
  t.is(ledger.receive(reply, 1), 'malformed')
})

test('requests have the size that was asked for, and never the same cookie', t => {
  const ledger = ledgerOf()
  const cookies = new Set<string>()
  for (const size of [ECHO_OCTETS_MIN, 84, 576, 1500, 9000, ECHO_OCTETS_MAX]) {
    const request = ledger.request(PEER, size, SEQUENCE, 0)
    t.is(request.length, size - IPV4_HEADER_OCTETS)
    t.is(request[0], 8)
    cookies.add(request.toString('hex', 8, 24))
  }
  t.is(cookies.size, 6)
  t.throws(() => ledger.request(PEER, ECHO_OCTETS_MIN - 1, SEQUENCE, 0))
})

test('a number that is used again means the new request', t => {
  const ledger = ledgerOf()
  const old = ledger.request(PEER, 84, SEQUENCE, 0)
  const fresh = ledger.request(PEER, 84, SEQUENCE, 10)
  t.is(ledger.receive(replyTo(old), 12), 'forged')
  t.like(ledger.receive(replyTo(fresh), 12), { rttMs: 2 })
})

test('what did not leave is not waited for', t => {
  const ledger = ledgerOf()
  const request = ledger.request(PEER, 84, SEQUENCE, 0)
  ledger.drop(SEQUENCE)
  ledger.sent(SEQUENCE, 1)
  t.is(ledger.receive(replyTo(request), 1), 'unknown')
})

test('the oldest of too many requests is forgotten, and counted', t => {
  const ledger = ledgerOf()
  const requests = Array.from({ length: ECHO_OUTSTANDING_MAX + 2 },
    (_, sequence) => ledger.request(PEER, ECHO_OCTETS_MIN, sequence, 0))
  t.is(ledger.forgotten, 2)
  t.is(ledger.receive(replyTo(requests[1]!), 1), 'unknown')
  t.like(ledger.receive(replyTo(requests[2]!), 1), { type: 'reply', sequence: 2 })
})

test('no octets make it throw, or pass without the cookie', t => {
  const request = ledgerOf().request(PEER, 120, SEQUENCE, 0)
  const cookie = request.subarray(8, 24)
  const seeds = [replyTo(request), errorOn(request), errorOn(request, { code: 1 })]
  const change = fc.tuple(fc.nat(200), fc.nat(255))
  fc.assert(fc.property(fc.nat(2), fc.array(change, { maxLength: 6 }), fc.nat(160), fc.boolean(),
    (which, changes, cut, isSummed) => {
      const ledger = ledgerOf()
      ledger.request(PEER, 120, SEQUENCE, 0)
      const octets = Buffer.from(seeds[which]!)
      for (const [at, value] of changes) octets[at % octets.length] = value
      if (isSummed) summed(octets.subarray(IPV4_HEADER_OCTETS))
      const received = octets.subarray(0, octets.length - Math.max(0, cut - 120))
      const answer = ledger.receive(received, 1)
      return typeof answer === 'string' || received.includes(cookie)
    }), { seed: SEED, numRuns: 5000 })
  const ledger = ledgerOf()
  const random = makeRandom(SEED)
  for (let n = 0; n < 20_000; n++) {
    const octets = Buffer.alloc(pick(random, 80))
    for (let i = 0; i < octets.length; i++) octets[i] = random() & 0xff
    t.is(typeof ledger.receive(octets, 1), 'string')
  }
})
