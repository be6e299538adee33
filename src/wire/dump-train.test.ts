// Trains of datagrams, which a capture shows as one large packet: each frame has a line of its own.
import test from 'ava'
import { frameLine, vxlanLine } from './dump.ts'
import { AT, hexOf, INNER_FRAME, octetsOf, ringOf, vector } from './vectors.test-kit.ts'

const HEADER = '0800000000100100'
const echo = vector('icmp-echo-request').subarray(INNER_FRAME)
const echo6 = vector('icmpv6-echo-request').subarray(INNER_FRAME)

/** An outer IPv4 packet whose UDP payload is `payload`, to `port`. */
function outer(payload: string, port = '12b5'): Uint8Array {
  const udpOctets = 8 + payload.length / 2
  const length = (octets: number) => octets.toString(16).padStart(4, '0')
  return octetsOf(`4500${length(20 + udpOctets)}0000400040110000c0a8380bc0a8380c`
    + `c001${port}${length(udpOctets)}0000${payload}`)
}

const lineOf = (packet: Uint8Array, port?: number) =>
  vxlanLine(ringOf(packet), AT, packet.length, port)
const textOf = (frame: Uint8Array) =>
  `VXLAN vni 4097: ${frameLine(ringOf(frame), AT, frame.length)}`
const START = '192.168.56.11.49153 > 192.168.56.12.4789: '

for (const [name, frame] of [['IPv4', echo], ['IPv6', echo6]] as const) {
  test(`three ${name} frames in a train are three lines`, t => {
    const packet = outer((HEADER + hexOf(frame)).repeat(3))
    t.is(lineOf(packet), START + [textOf(frame), textOf(frame), textOf(frame)].join('\n  + '))
  })
}

test('the last of a train may be shorter', t => {
  const short = vector('arp-reply').subarray(INNER_FRAME)
  const packet = outer(HEADER + hexOf(echo) + HEADER + hexOf(short))
  t.is(lineOf(packet), `${START}${textOf(echo)}\n  + ${textOf(short)}`)
})

test('padding behind a frame is no train, nor is another header', t => {
  t.is(lineOf(outer(HEADER + hexOf(echo) + '00'.repeat(40))).split('\n').length, 1)
  const other = HEADER.replace('1001', '1002')
  t.is(lineOf(outer(HEADER + hexOf(echo) + other + hexOf(echo))).split('\n').length, 1)
})

test('the tunnel may have another port', t => {
  const packet = outer(HEADER + hexOf(echo), '2118')
  t.is(lineOf(packet, 8472), START.replace('4789', '8472') + textOf(echo))
  t.regex(lineOf(packet), /8472: UDP, length \d+$/)
})
