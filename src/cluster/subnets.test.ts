// Subnets and VNIs: what is passed over and what is refused, with the reason.
import test from 'ava'
import fc from 'fast-check'
import { cidrsOverlap, formatIpv4, parseCidr, parseIpv4 } from '../base/text.ts'
import type { Taken } from './subnets.ts'
import {
  checkSubnet, checkVni, chooseSubnet, nextVni, REASON_LETTERS_MAX, takenByAddress, takenByNetwork,
  takenByRoute, widestSubnets,
} from './subnets.ts'

test('the first network gets 10.0.1.0/24', t => {
  t.deepEqual(chooseSubnet([]), { subnet: '10.0.1.0/24', skipped: [] })
})

test('the NAT side of a VirtualBox machine is passed over', t => {
  const taken = [
    takenByRoute('0.0.0.0/0', 'eth0'),
    takenByNetwork('10.0.1.0/24', 'web'),
    takenByRoute('10.0.2.0/24', 'eth0'),
    takenByAddress('10.0.2.15/24', 'eth0'),
    takenByAddress('10.0.3.7/32', 'lo'),
  ]
  t.deepEqual(chooseSubnet(taken), {
    subnet: '10.0.4.0/24',
    skipped: [
      { subnet: '10.0.1.0/24', reason: 'network web' },
      { subnet: '10.0.2.0/24', reason: 'route 10.0.2.0/24 dev eth0' },
      { subnet: '10.0.3.0/24', reason: 'address 10.0.3.7/32 of lo' },
    ],
  })
})

test('a wide route is passed over in one step', t => {
  t.deepEqual(chooseSubnet([takenByRoute('10.0.0.0/9', 'wg0')]), {
    subnet: '10.128.0.0/24',
    skipped: [{ subnet: '10.0.0.0/9', reason: 'route 10.0.0.0/9 dev wg0' }],
  })
  t.is(chooseSubnet([takenByRoute('10.0.0.0/16', null)]).skipped[0]?.reason, 'route 10.0.0.0/16')
})

test('routes that mean all the rest take nothing', t => {
  const rest = ['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1', '8.0.0.0/6'].map(cidr =>
    takenByRoute(cidr, 'tun0'))
  t.is(chooseSubnet(rest).subnet, '10.0.1.0/24')
  t.notThrows(() => checkSubnet('172.20.0.0/16', rest))
})

test('when all is taken, the last obstacle is told', t => {
  const taken = [takenByRoute('10.0.0.0/9', 'wg0'), takenByRoute('10.128.0.0/9', 'wg1')]
  t.throws(() => chooseSubnet(taken), {
    code: 'TM_LIMIT', message: /10\.0\.1\.0\/24 to 10\.255\.255\.0\/24 is free.*dev wg1; name one/,
  })
  t.throws(() => chooseSubnet([takenByRoute('10.0.0.0/8', 'wg0')]), { code: 'TM_LIMIT' })
})

const subnets: [subnet: string, code: string, message: RegExp][] = [
  ['10.0.2.0/25', 'TM_CONFLICT', /^subnet 10\.0\.2\.0\/25 overlaps route 10\.0\.2\.0\/24 dev eth0/],
  ['10.0.0.0/16', 'TM_CONFLICT', /overlaps route/],
  ['172.20.0.0/24', 'TM_CONFLICT', /overlaps network web; choose another/],
  ['192.168.56.0/30', 'TM_CONFLICT', /overlaps address 192\.168\.56\.11\/24 of eth1/],
  ['127.5.0.0/24', 'TM_USAGE', /overlaps 127\.0\.0\.0\/8 \(loopback\)/],
  ['224.0.0.0/8', 'TM_USAGE', /multicast/],
  ['169.254.0.0/15', 'TM_USAGE', /link-local/],
  ['10.4.0.9/24', 'TM_USAGE', /does not begin .*; write 10\.4\.0\.0\/24/],
  ['10.3.0.0/31', 'TM_USAGE', /too small/],
  ['10.3.0.0', 'TM_USAGE', /"10\.3\.0\.0" is not/],
]
for (const [subnet, code, message] of subnets) {
  test(`subnet ${subnet} is refused`, t => {
    t.throws(() => checkSubnet(subnet, [
      takenByRoute('10.0.2.0/24', 'eth0'),
      takenByNetwork('172.20.0.0/16', 'web'),
      takenByAddress('192.168.56.11/24', 'eth1'),
    ]), { code, message })
  })
}

test('a subnet beside what is taken is accepted', t => {
  t.notThrows(() => checkSubnet('10.0.3.0/24', [takenByRoute('10.0.2.0/24', 'eth0')]))
})

test('the lowest free one is chosen, and what was skipped is taken', t => {
  const [second, third] = [fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 255 })]
  const other = fc.tuple(second, third, fc.integer({ min: 12, max: 32 }))
    .map(([b, c, prefix]): Taken => takenByNetwork(`10.${b}.${c}.9/${prefix}`, 'other'))
  fc.assert(fc.property(fc.array(other, { maxLength: 40 }), taken => {
    const isTaken = (subnet: string): boolean =>
      taken.some(one => cidrsOverlap(parseCidr(one.cidr), parseCidr(subnet)))
    const { subnet, skipped } = chooseSubnet(taken)
    t.notThrows(() => checkSubnet(subnet, taken))
    t.true(skipped.every(one => isTaken(one.subnet)))
    const chosen = parseCidr(subnet).network
    for (let network = parseIpv4('10.0.1.0'); network < chosen; network += 256) {
      if (!isTaken(`${formatIpv4(network)}/24`)) t.fail(`${formatIpv4(network)}/24 is free`)
    }
  }), { numRuns: 50 })
})

test('VNIs begin behind the one of ingress', t => {
  t.is(nextVni([]), 4097)
  t.is(nextVni([4097, 4099, 100]), 4098)
})

const vnis: [vni: number, code: string, message: RegExp][] = [
  [0, 'TM_USAGE', /VNI 0 is not a number from 1 to 16777215/],
  [16777216, 'TM_USAGE', /16777216/],
  [1.5, 'TM_USAGE', /1\.5/],
  [Number.NaN, 'TM_USAGE', /NaN/],
  [4096, 'TM_CONFLICT', /ingress/],
  [4100, 'TM_CONFLICT', /VNI 4100 belongs to network web/],
]
for (const [vni, code, message] of vnis) {
  test(`VNI ${vni} is refused`, t => {
    t.throws(() => checkVni(vni, [{ vni: 4100, network: 'web' }]), { code, message })
  })
}

test('any other VNI is accepted', t => {
  for (const vni of [1, 4095, 4097, 16777215]) t.notThrows(() => checkVni(vni, []))
})

test('a node tells the widest of what it uses, and nothing that lies in it', t => {
  const taken = [takenByAddress('10.0.2.15/24', 'eth0'), takenByRoute('10.0.2.0/24', 'eth0'),
    takenByRoute('0.0.0.0/0', 'eth0'), takenByRoute('172.16.0.0/12', 'x'.repeat(99)),
    takenByRoute('172.17.0.0/16', 'docker0')]
  const told = widestSubnets(taken)
  t.deepEqual(told.map(({ cidr }) => cidr), ['172.16.0.0/12', '10.0.2.0/24'])
  t.is(told[0]!.reason.length, REASON_LETTERS_MAX)
  t.regex(told[1]!.reason, /^address 10\.0\.2\.15\/24 of eth0$/)
})
