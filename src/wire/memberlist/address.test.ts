// Addresses as octets and as text. Node's own reader of addresses is asked about every text.
import test from 'ava'
import fc from 'fast-check'
import { isIP } from 'node:net'
import { hexOf, octetsOf } from '../vectors.test-kit.ts'
import { addressOctets, addressText } from './address.ts'

const rows: [text: string, hex: string][] = [
  ['0.0.0.0', '00000000'],
  ['10.99.0.1', '0a630001'],
  ['255.255.255.255', 'ffffffff'],
  ['::', '00000000000000000000000000000000'],
  ['::1', '00000000000000000000000000000001'],
  ['fd00::1', 'fd000000000000000000000000000001'],
  ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'],
  ['2001:db8::1:0:0:1', '20010db8000000000001000000000001'],
  ['2001:0:0:1::1', '20010000000000010000000000000001'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['fe80::', 'fe800000000000000000000000000000'],
]
for (const [text, hex] of rows) {
  test(`address ${text}`, t => {
    t.is(addressText(octetsOf(hex)), text)
    t.is(hexOf(addressOctets(text)!), hex)
  })
}

test('IPv4 inside IPv6 is IPv4', t => {
  t.is(addressText(octetsOf('00000000000000000000ffff0a630001')), '10.99.0.1')
  t.is(hexOf(addressOctets('::ffff:10.99.0.1')!), '0a630001')
  t.is(hexOf(addressOctets('::ffff:a63:1')!), '0a630001')
  t.is(hexOf(addressOctets('64:ff9b::10.0.0.1')!), '0064ff9b00000000000000000a000001')
})

const refused = [
  '', 'node', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.-1', ':', ':::',
  '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '1:2:3:4:5:6:7::8', '12345::', 'g::',
  'fe80::1%eth0',
  '::1.2.3', '::1.2.3.4:1', '::1.2.3.999',
]
for (const text of refused) {
  test(`no address: ${text}`, t => {
    t.is(addressOctets(text), null)
    // Node allows a zone; we have no octets for it.
    t.is(isIP(text) !== 0, text.includes('%'))
  })
}

test('a wrong number of octets has no text', t => {
  for (const octets of [0, 1, 5, 15, 17]) t.is(addressText(new Uint8Array(octets)), '')
})

test('any octets become text that reads back', t => {
  const octet = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }))
  const addresses = fc.oneof(
    fc.array(octet, { minLength: 4, maxLength: 4 }),
    fc.array(octet, { minLength: 16, maxLength: 16 }),
  )
  fc.assert(fc.property(addresses, octets => {
    const text = addressText(Uint8Array.from(octets))
    const back = addressOctets(text)
    return isIP(text) !== 0 && back !== null && addressText(back) === text
  }))
  t.pass()
})
