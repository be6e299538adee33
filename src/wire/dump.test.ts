// Lines of text for golden frames, for frames of all other kinds, and for what is left of cut ones.
import test from 'ava'
import { frameLine, vxlanLine } from './dump.ts'
import {
  AT, atEnd, hexOf, INNER_FRAME, octetsOf, OUTER_IPV4, ringOf, vector, vectorNames,
} from './vectors.test-kit.ts'

/** Lines of the golden frames; "#" stands for a number that differs from capture to capture. */
const golden: Readonly<Record<string, string>> = {
  'arp-request': '02:42:0a:00:01:08 > ff:ff:ff:ff:ff:ff, ARP who-has 10.0.1.9 tell 10.0.1.8',
  'arp-reply': '02:42:0a:00:01:09 > 02:42:0a:00:01:08, ARP 10.0.1.9 is-at 02:42:0a:00:01:09',
  'icmp-echo-request': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv4 10.0.1.8 > 10.0.1.9: '
    + 'ICMP echo request, id 5, seq 1, length 64',
  'icmp-echo-ect0': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv4 10.0.1.8 > 10.0.1.9 tos 0x02: '
    + 'ICMP echo request, id 6, seq 1, length 64',
  'icmp-record-route': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv4 10.0.1.8 > 10.0.1.9: '
    + 'ICMP echo request, id 7, seq 1, length 64',
  'icmp-fragment-first': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv4 10.0.1.8 > 10.0.1.9 '
    + 'fragment #@0+: ICMP echo request, id 8, seq 1, length 576',
  'icmp-fragment-last': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv4 10.0.1.8 > 10.0.1.9 '
    + 'fragment #@576: ICMP, length 132',
  'icmp-port-unreachable': '02:42:0a:00:02:09 > 02:42:0a:00:02:08, IPv4 10.0.2.9 > 10.0.2.8 '
    + 'tos 0xc0: ICMP port unreachable, length 47',
  'icmp-too-long': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv4 10.0.1.8 > 10.9.0.1: '
    + 'ICMP echo request, id 9, seq 1, length 608',
  'icmp-fragmentation-needed': '02:42:0a:00:01:09 > 02:42:0a:00:01:08, IPv4 10.0.1.9 > 10.0.1.8 '
    + 'tos 0xc0: ICMP fragmentation needed, mtu 600, length 556',
  'icmpv6-echo-request': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv6 fd00:1::8 > fd00:1::9: '
    + 'ICMPv6 echo request, id 5, seq 1, length 64',
  'icmpv6-neighbour-solicitation': '02:42:0a:00:01:08 > 33:33:ff:00:00:09, IPv6 '
    + 'fd00:1::8 > ff02::1:ff00:9: ICMPv6 neighbour solicitation, who has fd00:1::9, length 32',
  'icmpv6-neighbour-advertisement': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv6 '
    + 'fe80::42:aff:fe00:108 > fe80::42:aff:fe00:109: ICMPv6 neighbour advertisement, '
    + 'target is fe80::42:aff:fe00:108, length 32',
  'icmpv6-mld-report': '02:42:0a:00:01:08 > 33:33:00:00:00:16, IPv6 '
    + 'fe80::42:aff:fe00:108 > ff02::16: ICMPv6 multicast listener report v2, length #',
  'icmpv6-too-long': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv6 fd00:1::8 > fd00:9::1: '
    + 'ICMPv6 echo request, id 9, seq 1, length 1308',
  'icmpv6-packet-too-big': '02:42:0a:00:01:09 > 02:42:0a:00:01:08, IPv6 fd00:1::9 > fd00:1::8: '
    + 'ICMPv6 packet too big, mtu 1280, length 1240',
  'tcp-syn': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv4 10.0.1.8.# > 10.0.1.9.80: '
    + 'TCP [S], seq #, win #, length 0',
  'tcp-request': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, IPv4 10.0.1.8.# > 10.0.1.9.80: '
    + 'TCP [P.], seq #, ack #, win #, length 72',
  'udp-datagram': '02:42:0a:00:02:08 > 02:42:0a:00:02:09, IPv4 10.0.2.8.# > 10.0.2.9.9: '
    + 'UDP, length 11',
  'vlan-echo': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, VLAN 7 priority 7, IPv4 '
    + '10.0.1.8 > 10.0.1.9: ICMP echo request, id 5, seq 1, length 64',
  'qinq-echo': '02:42:0a:00:01:08 > 02:42:0a:00:01:09, VLAN 100, VLAN 7, IPv4 '
    + '10.0.1.8 > 10.0.1.9: ICMP echo request, id 5, seq 1, length 64',
}

function pattern(line: string): RegExp {
  return new RegExp(`^${line.replaceAll(/[.+[\]]/g, '\\$&').replaceAll('#', '\\d+')}$`)
}

for (const name of vectorNames()) {
  test(`inner frame: ${name}`, t => {
    const frame = vector(name).subarray(INNER_FRAME)
    t.regex(frameLine(ringOf(frame), AT, frame.length), pattern(golden[name] ?? 'no line given'))
  })
  test(`outer packet: ${name}`, t => {
    const packet = vector(name).subarray(OUTER_IPV4)
    const line = vxlanLine(ringOf(packet), AT, packet.length)
    // Network 4097 hands the inner type of service on to the outer header.
    const tos = name === 'icmp-echo-ect0' ? ' tos 0x02'
      : name === 'icmp-fragmentation-needed' ? ' tos 0xc0' : ''
    const start = `192.168.56.#.# > 192.168.56.#.4789${tos}: VXLAN vni #: `
    t.regex(line, pattern(start + golden[name]))
  })
}

const IPV4 = '02420a00010902420a0001080800'
const IPV6 = '02420a00010902420a00010886dd'
const LINE = '02:42:0a:00:01:08 > 02:42:0a:00:01:09'

/** An IPv4 frame from 10.0.1.8 to 10.0.1.9; the lengths fit. */
function ipv4(protocol: number, payload: string): string {
  const octets = payload.replaceAll(' ', '')
  const total = (20 + octets.length / 2).toString(16).padStart(4, '0')
  return `${IPV4}4500${total}0000000040${protocol.toString(16).padStart(2, '0')}0000`
    + `0a0001080a000109${octets}`
}

function ipv6(nextHeader: number, payload: string): string {
  const octets = payload.replaceAll(' ', '')
  const length = (octets.length / 2).toString(16).padStart(4, '0')
  return `${IPV6}60000000${length}${nextHeader.toString(16).padStart(2, '0')}40`
    + `fe80000000000000${'0'.repeat(15)}1${'0'.repeat(32)}${octets}`
}
const BETWEEN4 = `${LINE}, IPv4 10.0.1.8 > 10.0.1.9: `
const BETWEEN6 = `${LINE}, IPv6 fe80::1 > ::: `

const frames: [name: string, octets: string, line: string][] = [
  ['unknown ethertype', '02420a00010902420a00010888cc0207', `${LINE}, ethertype 0x88cc, length 2`],
  ['smallest ethertype', '02420a00010902420a0001080600', `${LINE}, ethertype 0x0600, length 0`],
  ['802.3', '02420a00010902420a0001080003424203', `${LINE}, 802.3 length 3, length 3`],
  ['third tag', '02420a00010902420a00010881000001810000028100000308', `${LINE}, VLAN 1, VLAN 2, `
    + 'ethertype 0x8100, length 3'],
  ['other ARP', '02420a00010902420a0001080806' + '0006080006040001'.padEnd(56, '0'),
    `${LINE}, ARP not about IPv4 over Ethernet, length 28`],
  ['reverse ARP operation', '02420a00010902420a0001080806' + '0001080006040003'.padEnd(56, '0'),
    `${LINE}, ARP operation 3, 0.0.0.0 to 0.0.0.0`],
  ['ARP reply for another station', '02420a00010902420a0001080806' + '0001080006040002'
    + '02aabbccddee0a000163' + '02420a0001090a000109',
    `${LINE}, ARP 10.0.1.99 is-at 02:aa:bb:cc:dd:ee`],
  ['ARP operation 0', '02420a00010902420a0001080806' + '0001080006040000'.padEnd(56, '0'),
    `${LINE}, ARP operation 0, 0.0.0.0 to 0.0.0.0`],
  ['UDP without payload', ipv4(17, '0035 c000 0008 0000'),
    `${LINE}, IPv4 10.0.1.8.53 > 10.0.1.9.49152: UDP, length 0`],
  ['echo reply', ipv4(1, '0000 0000 0005 0001'),
    `${BETWEEN4}ICMP echo reply, id 5, seq 1, length 8`],
  ['host unreachable', ipv4(1, '0301 0000 00000000'), `${BETWEEN4}ICMP host unreachable, length 8`],
  ['unreachable for another reason', ipv4(1, '030a 0000 00000000'),
    `${BETWEEN4}ICMP unreachable, code 10, length 8`],
  ['time exceeded', ipv4(1, '0b00 0000 00000000'),
    `${BETWEEN4}ICMP time exceeded in transit, length 8`],
  ['redirect', ipv4(1, '0501 0000 0a000101'), `${BETWEEN4}ICMP redirect, code 1, length 8`],
  ['ICMP without a name', ipv4(1, '2a07 0000 00000000'),
    `${BETWEEN4}ICMP type 42, code 7, length 8`],
  ['protocol with a name', ipv4(132, '00'), `${BETWEEN4}SCTP, length 1`],
  ['protocol without a name', ipv4(99, ''), `${BETWEEN4}protocol 99, length 0`],
  ['all TCP flags', ipv4(6, '0050 c000 ffffffff 80000000 50ff 0001 0000 0000'),
    `${LINE}, IPv4 10.0.1.8.80 > 10.0.1.9.49152: TCP [FSRP.UEW], seq 4294967295, `
    + 'ack 2147483648, win 1, length 0'],
  ['no TCP flags', ipv4(6, '0050 c000 00000001 00000000 5000 0001 0000 0000'),
    `${LINE}, IPv4 10.0.1.8.80 > 10.0.1.9.49152: TCP [none], seq 1, win 1, length 0`],
  ['TCP data offset too small', ipv4(6, '0050 c000 00000001 00000000 4002 0001 0000 0000'),
    `${LINE}, IPv4 10.0.1.8.80 > 10.0.1.9.49152: TCP [S], seq 1, win 1, bad header length`],
  ['IPv4 header length too small', IPV4 + '44'.padEnd(40, '0'), `${LINE}, IPv4 [malformed]`],
  ['IPv4 total length too small', IPV4 + '45000013'.padEnd(40, '0'), `${LINE}, IPv4 [malformed]`],
  ['version 9', IPV4 + '95'.padEnd(40, '0'), `${LINE}, IPv4 [malformed]`],
  ['IPv6 TCP', ipv6(6, '0050 c000 00000001 00000000 5002 0001 0000 0000'),
    `${LINE}, IPv6 fe80::1.80 > ::.49152: TCP [S], seq 1, win 1, length 0`],
  ['echo reply over IPv6', ipv6(58, '8100 0000 0005 0001'),
    `${BETWEEN6}ICMPv6 echo reply, id 5, seq 1, length 8`],
  ['router solicitation', ipv6(58, '8500 0000 00000000'),
    `${BETWEEN6}ICMPv6 router solicitation, length 8`],
  ['neighbour advertisement', ipv6(58, `8800 0000 e0000000 ${'0'.repeat(31)}9`),
    `${BETWEEN6}ICMPv6 neighbour advertisement, target is ::9, length 24`],
  ['ICMPv6 without a name', ipv6(58, 'c801 0000 00000000'),
    `${BETWEEN6}ICMPv6 type 200, code 1, length 8`],
  ['later IPv6 fragment', ipv6(44, '1100 0008 00000001 abcd'), `${BETWEEN6}UDP, length 10`],
  ['IPv6 extension header longer than the packet', ipv6(0, '11ff 0000 00000000'),
    `${BETWEEN6}[malformed]`],
]
for (const [name, octets, line] of frames) {
  test(`frame: ${name}`, t => {
    const { dv, at } = atEnd(octetsOf(octets))
    t.is(frameLine(dv, at, dv.byteLength - at), line)
  })
}

const cuts: [name: string, vector: string, octets: number, line: string][] = [
  ['nothing', 'tcp-syn', 0, '[truncated]'],
  ['in the MACs', 'tcp-syn', 13, '[truncated]'],
  ['behind the type', 'tcp-syn', 14, `${LINE}, IPv4 [truncated]`],
  ['in the IPv4 header', 'tcp-syn', 33, `${LINE}, IPv4 [truncated]`],
  ['in the TCP header', 'tcp-syn', 40, `${BETWEEN4}TCP [truncated]`],
  ['in the UDP header', 'udp-datagram', 41, '02:42:0a:00:02:08 > 02:42:0a:00:02:09, IPv4 '
    + '10.0.2.8 > 10.0.2.9: UDP [truncated]'],
  ['in the ICMP header', 'icmp-echo-request', 41, `${BETWEEN4}ICMP [truncated]`],
  ['in the ICMP data', 'icmp-echo-request', 60,
    `${BETWEEN4}ICMP echo request, id 5, seq 1, length 64 [truncated]`],
  ['in the IPv6 header', 'icmpv6-echo-request', 53, `${LINE}, IPv6 [truncated]`],
  ['in an extension header', 'icmpv6-mld-report', 60, '02:42:0a:00:01:08 > 33:33:00:00:00:16, '
    + 'IPv6 fe80::42:aff:fe00:108 > ff02::16: [truncated]'],
  ['in ARP', 'arp-request', 41, '02:42:0a:00:01:08 > ff:ff:ff:ff:ff:ff, ARP [truncated]'],
  ['behind a tag', 'vlan-echo', 16, `${LINE}, VLAN 7 priority 7, [truncated]`],
  ['in a tag', 'vlan-echo', 15, `${LINE}, [truncated]`],
]
for (const [name, from, octets, line] of cuts) {
  test(`cut ${name}`, t => {
    const { dv, at } = atEnd(vector(from).subarray(INNER_FRAME, INNER_FRAME + octets))
    t.is(frameLine(dv, at, octets), line)
    t.is(frameLine(dv, at, 2000), line, 'a length that the memory does not have is cut to it')
  })
}

test('an outer packet that is not VXLAN is shown as what it is', t => {
  const packet = octetsOf(ipv4(17, '0035 c000 000a 0000 abcd')).subarray(14)
  const dv = ringOf(packet)
  t.is(vxlanLine(dv, AT, packet.length), '10.0.1.8.53 > 10.0.1.9.49152: UDP, length 2')
})

test('network 0 is a network, and nothing need follow its header', t => {
  const packet = octetsOf(ipv4(17, 'c000 12b5 0010 0000 08000000 00000000')).subarray(14)
  t.regex(vxlanLine(ringOf(packet), AT, packet.length), /4789: VXLAN vni 0: \[truncated\]$/)
})

test('a frame may begin where the memory begins', t => {
  const { buffer } = vector('arp-reply').slice(INNER_FRAME)
  t.is(frameLine(new DataView(buffer), 0, 42), golden['arp-reply'])
})

test('VXLAN without I flag is said, and the frame is shown all the same', t => {
  const packet = vector('arp-reply').subarray(OUTER_IPV4)
  packet[28] = 0
  t.regex(vxlanLine(ringOf(packet), AT, packet.length),
    /4789: VXLAN without I flag: 02:42:0a:00:01:09 > 02:42:0a:00:01:08, ARP 10\.0\.1\.9 is-at /)
})

/** UDP and VXLAN headers for network 4097, and the frame. */
function vxlanAround(frame: Uint8Array): string {
  const length = (16 + frame.length).toString(16).padStart(4, '0')
  return `c000 12b5 ${length} 0000 08000000 00100100 ${hexOf(frame)}`
}

test('VXLAN over IPv6 is read too', t => {
  const frame = vector('arp-reply').subarray(INNER_FRAME)
  const packet = octetsOf(ipv6(17, vxlanAround(frame))).subarray(14)
  t.is(vxlanLine(ringOf(packet), AT, packet.length),
    `fe80::1.49152 > ::.4789: VXLAN vni 4097: ${golden['arp-reply']}`)
})

test('VXLAN inside VXLAN ends after one', t => {
  const packet = octetsOf(ipv4(17, vxlanAround(vector('arp-reply')))).subarray(14)
  t.regex(vxlanLine(ringOf(packet), AT, packet.length), /4789: UDP, length 50$/)
})

test('places that the memory does not have give a line as well', t => {
  const dv = ringOf(vector('tcp-syn'))
  const places = [[-1, 60], [1e9, 60], [0.5, 60], [NaN, 60], [0, NaN], [0, -5]] as const
  for (const [at, octets] of places) {
    t.is(frameLine(dv, at, octets), '[truncated]')
    t.is(vxlanLine(dv, at, octets), '[truncated]')
  }
})

const addresses: [octets: string, text: string][] = [
  ['0'.repeat(32), '::'],
  ['0'.repeat(31) + '1', '::1'],
  ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
  ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ['ff020000000000000000000000000000', 'ff02::'],
  ['00010000000000020000000000000003', '1:0:0:2::3'],
]
for (const [octets, text] of addresses) {
  test(`IPv6 address ${text}, RFC 5952`, t => {
    const packet = octetsOf(`6000000000003b40${octets}${octets}`)
    t.is(vxlanLine(ringOf(packet), AT, 40), `${text} > ${text}: no next header, length 0`)
  })
}
