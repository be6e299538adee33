import test from 'ava'
import {
  cidrHas, cidrsOverlap, formatCidr, formatIpv4, formatMac, linkLocalOfMac, macOfAddress, parseCidr,
  parseHostPort, parseIpv4, parseMac, tryIpv4,
} from './text.ts'

const addresses: [text: string, value: number][] = [
  ['10.0.1.8', 0x0a000108],
  ['0.0.0.0', 0],
  ['255.255.255.255', 0xffffffff],
  ['256.0.0.1', -1],
  ['10.0.1', -1],
  ['10.0.01.8', -1],
  ['10.0.1.8 ', -1],
  ['', -1],
]
for (const [text, value] of addresses) {
  test(`address "${text}"`, t => {
    t.is(tryIpv4(text), value)
    if (value >= 0) t.is(formatIpv4(value), text)
    else t.throws(() => parseIpv4(text), { message: new RegExp(`"${text}" is not`) })
  })
}

test('a subnet has first and last address', t => {
  const cidr = parseCidr('10.0.1.8/24')
  t.deepEqual(cidr, { address: 0x0a000108, network: 0x0a000100, prefix: 24, last: 0x0a0001ff })
  t.is(formatCidr(cidr), '10.0.1.0/24')
  t.true(cidrHas(cidr, parseIpv4('10.0.1.255')))
  t.false(cidrHas(cidr, parseIpv4('10.0.2.0')))
})

test('the whole space and a single address are subnets', t => {
  t.is(parseCidr('0.0.0.0/0').last, 0xffffffff)
  t.is(parseCidr('10.9.8.7/32').network, parseCidr('10.9.8.7/32').last)
})

for (const text of ['10.0.1.0', '10.0.1.0/33', '10.0.1.0/', 'x/24', '10.0.1.0/24/2']) {
  test(`subnet "${text}" is refused by name`, t => {
    t.throws(() => parseCidr(text), { message: new RegExp(text.replaceAll('.', '\\.')) })
  })
}

test('subnets overlap when one holds an address of the other', t => {
  t.true(cidrsOverlap(parseCidr('10.0.0.0/8'), parseCidr('10.0.1.0/24')))
  t.true(cidrsOverlap(parseCidr('10.0.1.0/24'), parseCidr('10.0.0.0/8')))
  t.false(cidrsOverlap(parseCidr('10.0.1.0/24'), parseCidr('10.0.2.0/24')))
})

test('a host may carry a port', t => {
  t.deepEqual(parseHostPort('192.168.56.12', 4789), { address: 0xc0a8380c, port: 4789 })
  t.deepEqual(parseHostPort('192.168.56.12:4790', 4789), { address: 0xc0a8380c, port: 4790 })
  for (const bad of ['192.168.56.12:0', '192.168.56.12:65536', 'node2', '192.168.56.12:']) {
    t.throws(() => parseHostPort(bad, 4789), { code: 'TM_USAGE' })
  }
})

test('an overlay address gives its MAC', t => {
  t.is(macOfAddress(parseIpv4('10.0.1.8')), '02:42:0a:00:01:08')
  t.deepEqual(parseMac('02:42:0a:00:01:08'), [0x0242, 0x0a000108])
  t.is(formatMac(0x0242, 0x0a000108), '02:42:0a:00:01:08')
  t.throws(() => parseMac('02:42:0a:00:01'), { code: 'TM_USAGE' })
})

test('a MAC gives its link-local address', t => {
  t.is(linkLocalOfMac('02:42:0a:00:01:08'), 'fe80::42:aff:fe00:108')
})
