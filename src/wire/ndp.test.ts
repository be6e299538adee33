// Neighbour Discovery: a solicitation of the kernel is recognised, its advertisement written again.
import test from 'ava'
import {
  IPV6_SOURCE, ipv6PayloadOctets, ipv6Word, linkLocalMacHigh, linkLocalMacLow,
} from './ipv6.ts'
import {
  isNeighbourSolicitation, ndpTargetWord, NEIGHBOUR_ADVERTISEMENT_OCTETS,
  writeNeighbourAdvertisement,
} from './ndp.ts'
import {
  AT, hexAt, hexOf, INNER_IPV6_PAYLOAD, INNER_PACKET, octetsOf, ringOf, vector,
} from './vectors.test-kit.ts'

const SOLICITATION = vector('icmpv6-neighbour-solicitation')
const ADVERTISEMENT = vector('icmpv6-neighbour-advertisement').subarray(INNER_PACKET)
const L3 = AT + INNER_PACKET
const L4 = AT + INNER_IPV6_PAYLOAD

test('an advertisement is the octets that the kernel sends', t => {
  const golden = ringOf(ADVERTISEMENT)
  const addresses = octetsOf(hexAt(golden, AT + IPV6_SOURCE, 32))
  const room = new Uint8Array(NEIGHBOUR_ADVERTISEMENT_OCTETS).fill(0xa5)
  const dv = ringOf(hexOf(room) + hexOf(addresses))
  const addressesAt = AT + NEIGHBOUR_ADVERTISEMENT_OCTETS
  t.is(writeNeighbourAdvertisement(dv, AT, addressesAt, addressesAt + 16, 0x0242, 0x0a000108),
    ADVERTISEMENT.length)
  t.is(hexAt(dv, AT, ADVERTISEMENT.length), hexOf(ADVERTISEMENT))
  t.is(hexAt(dv, addressesAt, 32), hexOf(addresses), 'addresses untouched')
  t.is(hexAt(dv, addressesAt + 32, 8), 'a5'.repeat(8))
})

test('the solicitation of the kernel asks for its target', t => {
  const dv = ringOf(SOLICITATION)
  t.true(isNeighbourSolicitation(dv, L3, L4, ipv6PayloadOctets(dv, L3, 72)))
  t.deepEqual([0, 1, 2, 3].map(which => ndpTargetWord(dv, L4, which)), [0xfd00_0001 | 0, 0, 0, 9])
})

const NONE: [name: string, change: (dv: DataView) => void, octets?: number][] = [
  ['an advertisement', dv => dv.setUint8(L4, 136)],
  ['an echo request', dv => dv.setUint8(L4, 128)],
  ['a code', dv => dv.setUint8(L4 + 1, 1)],
  ['one that came through a router', dv => dv.setUint8(L3 + 7, 254)],
  ['one that is cut', () => {}, 23],
  ['nothing', () => {}, 0],
]
for (const [name, change, octets = 32] of NONE) {
  test(`no solicitation: ${name}`, t => {
    const dv = ringOf(SOLICITATION)
    t.true(isNeighbourSolicitation(dv, L3, L4, 24))
    change(dv)
    t.false(isNeighbourSolicitation(dv, L3, L4, octets))
  })
}

const ADDRESSES: [name: string, hex: string, high: number, low: number][] = [
  ['of 02:42:0a:00:01:08', 'fe80 0000 0000 0000 0042 0aff fe00 0108', 0x0242, 0x0a000108],
  ['of ff:ff:ff:ff:ff:ff', 'fe80 0000 0000 0000 fdff ffff feff ffff', 0xffff, -1],
  ['of 00:00:00:00:00:00', 'fe80 0000 0000 0000 0200 00ff fe00 0000', 0, 0],
  ['another prefix', 'fe81 0000 0000 0000 0042 0aff fe00 0108', -1, 0x0a000108],
  ['a longer prefix', 'fe80 0000 0000 0001 0042 0aff fe00 0108', -1, 0x0a000108],
  ['no ff in the middle', 'fe80 0000 0000 0000 0042 0afe fe00 0108', -1, 0x0a000108],
  ['no fe in the middle', 'fe80 0000 0000 0000 0042 0aff ff00 0108', -1, 0x0a000108],
  ['nobody', '0000 0000 0000 0000 0000 0000 0000 0000', -1, 0],
]
for (const [name, hex, high, low] of ADDRESSES) {
  test(`MAC of a link-local address: ${name}`, t => {
    const dv = ringOf(`${hex}${hex}`)
    const word = (which: number) => ipv6Word(dv, AT - IPV6_SOURCE, which)
    t.is(linkLocalMacHigh(word(0), word(1), word(2), word(3)), high)
    t.is(linkLocalMacLow(word(2), word(3)), low)
  })
}

test('the advertisement is from its target, of the MAC in it', t => {
  const dv = ringOf(ADVERTISEMENT)
  const own = [0, 1, 2, 3].map(which => ipv6Word(dv, AT, which))
  t.deepEqual([0, 1, 2, 3].map(which => ndpTargetWord(dv, AT + 40, which)), own)
  t.is(linkLocalMacHigh(own[0]!, own[1]!, own[2]!, own[3]!), 0x0242)
  t.is(linkLocalMacLow(own[2]!, own[3]!), 0x0a000108)
})
