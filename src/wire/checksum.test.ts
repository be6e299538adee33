// The Internet checksum: the examples of its RFCs, every checksum of every golden frame, and the
// update by difference against the sum made anew.
import test from 'ava'
import { makeRandom, pick } from '../base/prng.ts'
import {
  complementSum, foldSum, pseudoSumIpv4, pseudoSumIpv6, sumOctets, updateChecksum16,
  updateChecksum32,
} from './checksum.ts'
import { ipv4HeaderOctets, PROTOCOL_ICMP } from './ipv4.ts'
import { ipv6PayloadOctets, ipv6Upper } from './ipv6.ts'
import {
  AT, atEnd, INNER_PACKET, octetsOf, ringOf, vector, vectorNames,
} from './vectors.test-kit.ts'

test('the example of RFC 1071 section 3', t => {
  const dv = ringOf('0001f203f4f5f6f7')
  t.is(foldSum(sumOctets(dv, AT, 8, 0)), 0xddf2)
  t.is(complementSum(sumOctets(dv, AT, 8, 0)), 0x220d)
})

test('the example of RFC 1624 section 4: equation 3 gives 0x0000', t => {
  t.is(updateChecksum16(0xdd2f, 0x5555, 0x3285), 0x0000)
})

const sums: [name: string, octets: string, folded: number][] = [
  ['nothing', '', 0],
  ['one octet counts as the upper half', 'ab', 0xab00],
  ['two', 'abcd', 0xabcd],
  ['three', '0001ab', 0xab01],
  ['five', '000100020c', 0x0c03],
  ['six', '000100020003', 0x0006],
  ['a carry comes round', 'ffff0001', 0x0001],
  ['all ones', 'ffffffffffff', 0xffff],
]
for (const [name, octets, folded] of sums) {
  test(`sum: ${name}`, t => {
    const { dv, at } = atEnd(octetsOf(octets))
    t.is(foldSum(sumOctets(dv, at, octets.length / 2, 0)), folded)
  })
}

test('the longest message of ones does not overflow', t => {
  const { dv, at } = atEnd(new Uint8Array(65535).fill(0xff))
  const sum = sumOctets(dv, at, 65535, 0x1fffe)
  t.true(sum <= 0x1fffe)
  t.is(foldSum(sum), 0xff00)
})

test('a sum made in pieces of even length is the sum of the whole', t => {
  const random = makeRandom(1071)
  const octets = Uint8Array.from({ length: 301 }, () => random())
  const { dv, at } = atEnd(octets)
  const whole = foldSum(sumOctets(dv, at, octets.length, 0))
  for (let cut = 0; cut < octets.length; cut += 2) {
    const first = sumOctets(dv, at, cut, 0)
    t.is(foldSum(sumOctets(dv, at + cut, octets.length - cut, first)), whole, `cut at ${cut}`)
  }
})

for (const name of vectorNames()) {
  if (/^arp|fragment-|^vlan|^qinq/.test(name) && name !== 'icmp-fragmentation-needed') continue
  test(`the payload's checksum holds: ${name}`, t => {
    const packet = vector(name).subarray(INNER_PACKET)
    const dv = ringOf(packet)
    const headerOctets = ipv4HeaderOctets(dv, AT, packet.length)
    if (headerOctets > 0) {
      const octets = packet.length - headerOctets
      const protocol = packet[9]!
      const pseudo = protocol === PROTOCOL_ICMP ? 0 : pseudoSumIpv4(dv, AT, protocol, octets)
      t.is(foldSum(sumOctets(dv, AT + headerOctets, octets, pseudo)), 0xffff)
      return
    }
    const upper = ipv6Upper(dv, AT, ipv6PayloadOctets(dv, AT, packet.length))
    const octets = packet.length - (upper >>> 8)
    const pseudo = pseudoSumIpv6(dv, AT, upper & 255, octets)
    t.is(foldSum(sumOctets(dv, AT + (upper >>> 8), octets, pseudo)), 0xffff)
  })
}

test('an update by difference gives what a new sum gives', t => {
  const random = makeRandom(1141)
  for (let round = 0; round < 5000; round += 1) {
    const { dv, at } = atEnd(Uint8Array.from({ length: 40 }, () => random()))
    const checksum = complementSum(sumOctets(dv, at, 40, 0))
    const place = at + 2 * pick(random, 19)
    const before = dv.getInt32(place)
    // Every other round only the first half changes, now and then to what has the same sum.
    const after = round % 2 === 0 ? random() | 0 : (random() << 16) | (before & 0xffff)
    dv.setInt32(place, after)
    const anew = complementSum(sumOctets(dv, at, 40, 0))
    t.is(updateChecksum32(checksum, before, after), anew, `round ${round}`)
    if (round % 2 === 1) {
      t.is(updateChecksum16(checksum, before >>> 16, after >>> 16), anew, `round ${round}`)
    }
  }
})

test('an update takes signed and unsigned words alike', t => {
  const [before, after] = [0xc0a8380b, 0x0a000108]
  t.is(updateChecksum32(0x1234, before, after), updateChecksum32(0x1234, before | 0, after))
})
