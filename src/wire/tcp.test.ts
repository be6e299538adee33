// TCP: golden headers read and written again, checksums included; data offsets that do not fit.
import test from 'ava'
import { complementSum, pseudoSumIpv4, sumOctets } from './checksum.ts'
import { PROTOCOL_TCP } from './ipv4.ts'
import {
  tcpAcknowledgment, tcpChecksum, tcpDestinationPort, tcpFlags, tcpHeaderOctets, tcpSequence,
  tcpSourcePort, tcpWindow, writeTcpHeader, TCP_ACK, TCP_CHECKSUM_FIELD, TCP_HEADER_OCTETS, TCP_PSH,
  TCP_SYN,
} from './tcp.ts'
import {
  AT, hexOf, INNER_IPV4_PAYLOAD, INNER_PACKET, overNoise, ringOf, vector,
} from './vectors.test-kit.ts'

const HTTP_PORT = 80
const segments: [name: string, headerOctets: number, flags: number][] = [
  ['tcp-syn', 40, TCP_SYN],
  ['tcp-request', 32, TCP_PSH | TCP_ACK],
]
for (const [name, headerOctets, flags] of segments) {
  test(`tcp read and written again: ${name}`, t => {
    const golden = vector(name)
    const dv = ringOf(golden)
    const at = AT + INNER_IPV4_PAYLOAD
    const octets = golden.length - INNER_IPV4_PAYLOAD
    t.is(tcpHeaderOctets(dv, at, octets), headerOctets)
    t.is(tcpFlags(dv, at), flags)
    t.is(tcpDestinationPort(dv, at), HTTP_PORT)
    const fixed = golden.subarray(INNER_IPV4_PAYLOAD, INNER_IPV4_PAYLOAD + TCP_HEADER_OCTETS)
    t.is(hexOf(fixed), overNoise(TCP_HEADER_OCTETS, noise => writeTcpHeader(
      noise, AT, tcpSourcePort(dv, at), tcpDestinationPort(dv, at), tcpSequence(dv, at),
      tcpAcknowledgment(dv, at), headerOctets, flags, tcpWindow(dv, at), tcpChecksum(dv, at),
    )))
    const sent = tcpChecksum(dv, at)
    dv.setUint16(at + TCP_CHECKSUM_FIELD, 0)
    const pseudo = pseudoSumIpv4(dv, AT + INNER_PACKET, PROTOCOL_TCP, octets)
    t.is(complementSum(sumOctets(dv, at, octets, pseudo)), sent)
  })
}

test('sequence numbers are signed', t => {
  const dv = ringOf('0050 c000 ffffffff 80000000 5010 0001 0000 0000')
  t.is(tcpSequence(dv, AT), -1)
  t.is(tcpAcknowledgment(dv, AT), -0x80000000)
})

const rows: [name: string, dataOffset: string, available: number, headerOctets: number][] = [
  ['no options', '50', 20, 20],
  ['payload behind it', '50', 1400, 20],
  ['longest', 'f0', 60, 60],
  ['reserved bits are ignored', '5f', 20, 20],
  ['options cut', '60', 23, -1],
  ['header cut', '50', 19, -1],
  ['below the fixed part', '40', 20, -1],
  ['data offset 0', '00', 20, -1],
  ['nothing there', '', 0, -1],
]
for (const [name, dataOffset, available, headerOctets] of rows) {
  test(`tcp header length: ${name}`, t => {
    const dv = ringOf(`0050c0000000000100000002${dataOffset}10000100000000`)
    t.is(tcpHeaderOctets(dv, AT, available), headerOctets)
  })
}
