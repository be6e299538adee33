// The octets of IP addresses, both ways.
import test from 'ava'
import fc from 'fast-check'
import { ipOfOctets, octetsOfIp, parseIpPrefix } from './ip-octets.ts'

const rows: [text: string, octets: string, canonical?: string][] = [
  ['10.0.1.8', '0a000108'],
  ['::', '00000000000000000000000000000000'],
  ['::1', '00000000000000000000000000000001'],
  ['fe80::42:aff:fe00:108', 'fe8000000000000000420afffe000108'],
  ['fe80::0:1', 'fe800000000000000000000000000001', 'fe80::1'],
  ['FD00:0:0:1::', 'fd000000000000010000000000000000', 'fd00:0:0:1::'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['::ffff:10.0.1.8', '00000000000000000000ffff0a000108'],
  ['64:ff9b::10.0.1.8', '0064ff9b00000000000000000a000108', '64:ff9b::a00:108'],
]
for (const [text, octets, canonical = text] of rows) {
  test(`octets of ${text}`, t => {
    t.is(octetsOfIp(text).toString('hex'), octets)
    t.is(ipOfOctets(Buffer.from(octets, 'hex')), canonical)
  })
}

for (const text of ['', 'fe80::1%eth0', '10.0.1', '1:2:3', 'fe80::1::2', 'node2']) {
  test(`"${text}" is no address`, t => {
    t.throws(() => octetsOfIp(text), { message: `"${text}" is not an IP address such as `
      + '10.0.1.8 or fe80::1' })
  })
}

test('every address comes back', t => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 }).map(Buffer.from),
  )
  fc.assert(fc.property(octets, given => {
    t.deepEqual(octetsOfIp(ipOfOctets(Buffer.from(given))), Buffer.from(given))
  }))
})

test('a prefix length follows the address', t => {
  t.deepEqual(parseIpPrefix('10.0.1.8/24'), { octets: Buffer.from('0a000108', 'hex'), prefix: 24 })
  const octets = Buffer.from('fe800000000000000000000000000001', 'hex')
  t.deepEqual(parseIpPrefix('fe80::1/64'), { octets, prefix: 64 })
  for (const bad of ['fe80::1', 'fe80::1/129', 'fe80::1/', '/64:', '10.0.1.8', '10.0.1.8/33']) {
    t.throws(() => parseIpPrefix(bad), { message: new RegExp(`^"${bad}" is not`) })
  }
})
