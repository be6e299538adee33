// Which published port an ICMP error is about.
import test from 'ava'
import { station, viewOf } from '../path/frames.test-kit.ts'
import { datagram, icmpFrame, SYN, tcpFrame } from '../path/services.test-kit.ts'
import { quotedPort } from './ingress-errors.ts'

const NODE = station('192.168.56.11')
const CLIENT = station('198.51.100.9')
const ROUTER = station('203.0.113.1')

function errorAbout(frame: Uint8Array, octets = frame.length): Uint8Array {
  return icmpFrame(ROUTER, NODE, Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 20,
    ...frame.subarray(14, octets))).subarray(14)
}

const TCP = errorAbout(tcpFrame(NODE, CLIENT, [8080, 5000], SYN))
const ROWS: [name: string, packet: Uint8Array, port: string][] = [
  ['TCP', TCP, '8080/tcp'],
  ['UDP', errorAbout(datagram(NODE, CLIENT, [5353, 5000])), '5353/udp'],
  ['the first eight octets', errorAbout(tcpFrame(NODE, CLIENT, [8080, 5000], SYN), 14 + 28),
    '8080/tcp'],
  ['no ports', errorAbout(tcpFrame(NODE, CLIENT, [8080, 5000], SYN), 14 + 20), ''],
  ['an echo', errorAbout(icmpFrame(NODE, CLIENT, new Uint8Array(8))), ''],
  ['cut', TCP.subarray(0, 40), ''],
  ['nothing', new Uint8Array(), ''],
]
for (const [name, packet, port] of ROWS) {
  test(`the port that an error is about: ${name}`, t => t.is(quotedPort(packet), port))
}

test('also of a part of a larger memory', t => {
  const memory = new Uint8Array(200)
  memory.set(TCP, 33)
  t.is(quotedPort(memory.subarray(33, 33 + TCP.length)), '8080/tcp')
  t.is(viewOf(memory).getUint8(33), 0x45)
})
