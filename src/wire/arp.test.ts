// ARP: golden request and reply, the turn from one into the other, what is not ARP for us.
import test from 'ava'
import {
  arpOperation, arpSenderAddress, arpSenderMacHigh, arpSenderMacLow, arpTargetAddress,
  arpTargetMacHigh, arpTargetMacLow, turnArpIntoReply, writeArp, ARP_OCTETS, ARP_REPLY, ARP_REQUEST,
} from './arp.ts'
import {
  AT, hexAt, hexOf, INNER_FRAME, INNER_PACKET, overNoise, ringOf, vector,
} from './vectors.test-kit.ts'

const FRAME_OCTETS = 42

for (const [name, operation] of [['arp-request', ARP_REQUEST], ['arp-reply', ARP_REPLY]] as const) {
  test(`arp read and written again: ${name}`, t => {
    const golden = vector(name).subarray(INNER_PACKET)
    const dv = ringOf(golden)
    t.is(arpOperation(dv, AT, golden.length), operation)
    t.is(hexOf(golden), overNoise(ARP_OCTETS, noise => writeArp(
      noise, AT, operation,
      arpSenderMacHigh(dv, AT), arpSenderMacLow(dv, AT), arpSenderAddress(dv, AT),
      arpTargetMacHigh(dv, AT), arpTargetMacLow(dv, AT), arpTargetAddress(dv, AT),
    )))
  })
}

test('the request says who asks for whom', t => {
  const dv = ringOf(vector('arp-request').subarray(INNER_PACKET))
  t.is(arpSenderMacHigh(dv, AT), 0x0242)
  t.is(arpSenderMacLow(dv, AT), 0x0a000108)
  t.is(arpSenderAddress(dv, AT), 0x0a000108)
  t.is(arpTargetAddress(dv, AT), 0x0a000109)
})

test('the request turns into the reply that the kernel gives', t => {
  const dv = ringOf(vector('arp-request').subarray(INNER_FRAME))
  turnArpIntoReply(dv, AT, AT + 14, 0x0242, 0x0a000109)
  t.is(hexAt(dv, AT, FRAME_OCTETS), hexOf(vector('arp-reply').subarray(INNER_FRAME)))
})

test('the reply goes to the sender that the request names, behind a tag as well', t => {
  const tagged = 'ffffffffffff 02aaaaaaaaaa 81000007 0806 0001080006040001'
    + '02420a000108 0a000108 000000000000 c0a8000a'
  const dv = ringOf(tagged)
  turnArpIntoReply(dv, AT, AT + 18, 0x0242, 0xc0a8000a | 0)
  t.is(hexAt(dv, AT, 46), '02420a0001080242c0a8000a8100000708060001080006040002'
    + '0242c0a8000ac0a8000a02420a0001080a000108')
})

const GOOD = '0001 0800 06 04 0001 02420a000108 0a000108 000000000000 0a000109'.replaceAll(' ', '')
const rows: [name: string, octets: string, available: number, operation: number][] = [
  ['whole', GOOD, 28, ARP_REQUEST],
  ['padding behind it', GOOD + '00'.repeat(18), 46, ARP_REQUEST],
  ['another operation is the caller\'s to judge', GOOD.replace('06040001', '06040008'), 28, 8],
  ['one octet missing', GOOD, 27, -1],
  ['nothing there', '', 0, -1],
  ['hardware is not Ethernet', GOOD.replace('0001', '0006'), 28, -1],
  ['protocol is not IPv4', GOOD.replace('0800', '86dd'), 28, -1],
  ['hardware addresses of 8 octets', GOOD.replace('0604', '0804'), 28, -1],
  ['protocol addresses of 16 octets', GOOD.replace('0604', '0610'), 28, -1],
]
for (const [name, octets, available, operation] of rows) {
  test(`arp operation: ${name}`, t => t.is(arpOperation(ringOf(octets), AT, available), operation))
}
