// Ethernet headers and VLAN tags: golden frames, tags of all depths, frames that end too early.
import test from 'ava'
import {
  isBroadcastMac, isGroupMac, macHigh, macLow, swapMacs, typeFieldAt, vlanIdentifier, vlanPriority,
  writeEtherHeader, writeMac, ETHER_HEADER_OCTETS, ETHER_SOURCE, ETHER_TYPE,
} from './ether.ts'
import {
  AT, hexAt, hexOf, INNER_FRAME, overNoise, ringOf, vector, vectorNames,
} from './vectors.test-kit.ts'

for (const name of vectorNames()) {
  for (const [which, from] of [['outer', 0], ['inner', INNER_FRAME]] as const) {
    test(`ether header read and written again: ${name}, ${which}`, t => {
      const golden = vector(name).subarray(from, from + ETHER_HEADER_OCTETS)
      const dv = ringOf(golden)
      const source = AT + ETHER_SOURCE
      t.is(hexOf(golden), overNoise(ETHER_HEADER_OCTETS, noise => writeEtherHeader(
        noise, AT, macHigh(dv, AT), macLow(dv, AT), macHigh(dv, source), macLow(dv, source),
        dv.getUint16(AT + ETHER_TYPE),
      )))
    })
  }
}

const macs: [name: string, octets: string, high: number, low: number, group: boolean][] = [
  ['an endpoint', '02420a000108', 0x0242, 0x0a000108, false],
  ['low half above 2^31 is negative', '0242c0a8380b', 0x0242, 0xc0a8380b | 0, false],
  ['broadcast', 'ffffffffffff', 0xffff, -1, true],
  ['IPv6 multicast', '333300000016', 0x3333, 0x16, true],
  ['only its end is that of broadcast', '0242ffffffff', 0x0242, -1, false],
  ['only its start is that of broadcast', 'ffff0a000108', 0xffff, 0x0a000108, true],
  ['only the first octet has the group bit', 'fe0101010101', 0xfe01, 0x01010101, false],
]
for (const [name, octets, high, low, group] of macs) {
  test(`mac: ${name}`, t => {
    const dv = ringOf(octets)
    t.is(macHigh(dv, AT), high)
    t.is(macLow(dv, AT), low)
    t.is(Int32Array.of(low)[0], macLow(dv, AT), 'an Int32Array holds the same number')
    t.is(isGroupMac(dv, AT), group)
    t.is(isBroadcastMac(dv, AT), octets === 'ffffffffffff')
    t.is(overNoise(6, noise => writeMac(noise, AT, high, low)), octets)
  })
}

test('swapped MACs turn a frame round', t => {
  const dv = ringOf('02420a000109 06660b000108 0800 aa')
  swapMacs(dv, AT)
  t.is(hexAt(dv, AT, 15), '06660b00010802420a0001090800aa')
})

const MACS = '02420a00010902420a000108'
const types: [name: string, rest: string, typeAt: number][] = [
  ['no tag', '0800', 12],
  ['no tag, payload looks like one', '08008100', 12],
  ['length field of 802.3', '0026', 12],
  ['one 802.1Q tag', '810000070806', 16],
  ['one 802.1ad tag', '88a8006486dd', 16],
  ['two tags', '88a80064810000070800', 20],
  ['a third tag is not looked into', '88a80064810000078100000108 00', 20],
  ['no room for a type', '08', -1],
  ['no room for the type behind one tag', '8100000708', -1],
  ['a tag and nothing else', '8100', -1],
  ['no room for the type behind two tags', '88a800648100000708', -1],
]
for (const [name, rest, typeAt] of types) {
  test(`type field: ${name}`, t => {
    const frame = MACS + rest.replaceAll(' ', '')
    t.is(typeFieldAt(ringOf(frame), AT, frame.length / 2), typeAt < 0 ? -1 : AT + typeAt)
  })
}

test('type field: an empty frame, and one shorter than its MACs', t => {
  t.is(typeFieldAt(ringOf(''), AT, 0), -1)
  t.is(typeFieldAt(ringOf(MACS), AT, 11), -1)
})

test('a tag says priority and VLAN', t => {
  const frame = vector('vlan-echo').subarray(INNER_FRAME)
  const dv = ringOf(frame)
  t.is(typeFieldAt(dv, AT, frame.length), AT + 16)
  t.is(vlanIdentifier(dv, AT + ETHER_TYPE), 7)
  t.is(vlanPriority(dv, AT + ETHER_TYPE), 7)
})

test('the largest VLAN and priority', t => {
  const dv = ringOf('8100ffff0800')
  t.is(vlanIdentifier(dv, AT), 4095)
  t.is(vlanPriority(dv, AT), 7)
})

test('two tags: the service tag is the outer one', t => {
  const frame = vector('qinq-echo').subarray(INNER_FRAME)
  const dv = ringOf(frame)
  t.is(typeFieldAt(dv, AT, frame.length), AT + 20)
  t.is(vlanIdentifier(dv, AT + ETHER_TYPE), 100)
  t.is(vlanIdentifier(dv, AT + ETHER_TYPE + 4), 7)
})
