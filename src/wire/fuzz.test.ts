// No octets make a reader throw or look outside the frame: every golden frame cut at every length,
// with every bit flipped, and changed at random. The frame ends where the memory ends, so that a
// look behind it is a RangeError. A run is repeated with TAPMESH_FUZZ_SEED.
import test from 'ava'
import { makeRandom, pick } from '../base/prng.ts'
import type { Random32 } from '../base/prng.ts'
import {
  arpOperation, arpSenderAddress, arpSenderMacHigh, arpSenderMacLow, arpTargetAddress,
  arpTargetMacHigh, arpTargetMacLow, turnArpIntoReply, ARP_REQUEST,
} from './arp.ts'
import { foldSum, pseudoSumIpv4, pseudoSumIpv6, sumOctets } from './checksum.ts'
import { frameLine, vxlanLine } from './dump.ts'
import { ecnInner, ecnOuter } from './ecn.ts'
import {
  isBroadcastMac, isGroupMac, macHigh, macLow, swapMacs, typeFieldAt, vlanIdentifier, vlanPriority,
  ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHER_TYPE,
} from './ether.ts'
import {
  unreachableOctets, icmpCode, icmpIdentifier, icmpIsError, icmpMtu, icmpSequence, icmpType,
  icmpv6IsError, icmpv6Mtu, packetTooBigOctets, ICMP_HEADER_OCTETS,
} from './icmp.ts'
import {
  ipv4ChecksumHolds, ipv4Destination, ipv4DontFragment, ipv4FragmentOffset, ipv4HeaderOctets,
  ipv4Identification, ipv4IsFragment, ipv4MoreFragments, ipv4Protocol, ipv4Source, ipv4Tos,
  ipv4TotalOctets, ipv4Ttl, setIpv4Destination, setIpv4Source, setIpv4Tos, PROTOCOL_ICMP,
  PROTOCOL_TCP, PROTOCOL_UDP,
} from './ipv4.ts'
import {
  ipv6FlowLabel, ipv6HopLimit, ipv6NextHeader, ipv6PayloadOctets, ipv6TrafficClass, ipv6Upper,
  ipv6Word, isIpv6Multicast, setIpv6TrafficClass, IPV6_DESTINATION, PROTOCOL_ICMPV6,
} from './ipv6.ts'
import {
  tcpAcknowledgment, tcpChecksum, tcpDestinationPort, tcpFlags, tcpHeaderOctets, tcpSequence,
  tcpSourcePort, tcpWindow,
} from './tcp.ts'
import { udpChecksum, udpDestinationPort, udpOctets, udpSourcePort } from './udp.ts'
import { atEnd, hexOf, INNER_FRAME, vector, vectorNames } from './vectors.test-kit.ts'
import { vxlanVni, VXLAN_HEADER_OCTETS, VXLAN_PORT } from './vxlan.ts'

const SEED = Number(process.env['TAPMESH_FUZZ_SEED'] ?? 4789)
const MUTATIONS = 20_000
const LINE_CHARACTERS_MAX = 500

/** Everything that was read, so that no reader can be left out as unused: a finite number. */
let seen = 0

/** Read a frame as the packet path does: each reader once what comes before it has been checked. */
function readFrame(dv: DataView, at: number, octets: number): void {
  const typeAt = typeFieldAt(dv, at, octets)
  if (typeAt < 0) return
  seen += macHigh(dv, at) + macLow(dv, at) + Number(isGroupMac(dv, at))
  seen += Number(isBroadcastMac(dv, at))
  if (typeAt > at + ETHER_TYPE) {
    seen += vlanIdentifier(dv, at + ETHER_TYPE) + vlanPriority(dv, at + ETHER_TYPE)
  }
  swapMacs(dv, at)
  const type = dv.getUint16(typeAt)
  const packetOctets = at + octets - typeAt - 2
  if (type === ETHERTYPE_ARP) readArp(dv, at, typeAt + 2, packetOctets)
  if (type === ETHERTYPE_IPV4) readIpv4(dv, typeAt + 2, packetOctets)
  if (type === ETHERTYPE_IPV6) readIpv6(dv, typeAt + 2, packetOctets)
}

function readArp(dv: DataView, frameAt: number, at: number, octets: number): void {
  const operation = arpOperation(dv, at, octets)
  if (operation < 0) return
  seen += arpSenderAddress(dv, at) + arpSenderMacHigh(dv, at) + arpSenderMacLow(dv, at)
  seen += arpTargetAddress(dv, at) + arpTargetMacHigh(dv, at) + arpTargetMacLow(dv, at)
  if (operation === ARP_REQUEST) turnArpIntoReply(dv, frameAt, at, 0x0242, 0x0a000109)
}

function readIpv4(dv: DataView, at: number, octets: number): void {
  const headerOctets = ipv4HeaderOctets(dv, at, octets)
  if (headerOctets < 0) return
  const held = ipv4ChecksumHolds(dv, at, headerOctets)
  seen += ipv4Ttl(dv, at) + ipv4Identification(dv, at) + Number(ipv4DontFragment(dv, at))
  seen += Number(ipv4IsFragment(dv, at)) + Number(ipv4MoreFragments(dv, at))
  setIpv4Tos(dv, at, Math.max(0, ecnInner(ecnOuter(ipv4Tos(dv, at)), 3)))
  setIpv4Source(dv, at, ipv4Destination(dv, at))
  setIpv4Destination(dv, at, ~ipv4Source(dv, at))
  if (held !== ipv4ChecksumHolds(dv, at, headerOctets)) throw new Error('checksum not kept')
  const payloadOctets = ipv4TotalOctets(dv, at) - headerOctets
  const protocol = ipv4Protocol(dv, at)
  const pseudo = pseudoSumIpv4(dv, at, protocol, payloadOctets)
  seen += foldSum(sumOctets(dv, at + headerOctets, payloadOctets, pseudo))
  seen += unreachableOctets(payloadOctets + headerOctets)
  if (ipv4FragmentOffset(dv, at) > 0) return
  readTransport(dv, at + headerOctets, payloadOctets, protocol)
}

function readIpv6(dv: DataView, at: number, octets: number): void {
  const payloadOctets = ipv6PayloadOctets(dv, at, octets)
  if (payloadOctets < 0) return
  seen += ipv6HopLimit(dv, at) + ipv6FlowLabel(dv, at) + ipv6NextHeader(dv, at)
  for (let word = 0; word < 8; word += 1) seen += ipv6Word(dv, at, word)
  seen += Number(isIpv6Multicast(dv, at + IPV6_DESTINATION))
  setIpv6TrafficClass(dv, at, ~ipv6TrafficClass(dv, at))
  seen += packetTooBigOctets(payloadOctets)
  const upper = ipv6Upper(dv, at, payloadOctets)
  if (upper < 0) return
  const left = payloadOctets + 40 - (upper >>> 8)
  if (left < 0) throw new Error('extension headers lead outside the packet')
  const pseudo = pseudoSumIpv6(dv, at, upper & 255, left)
  seen += foldSum(sumOctets(dv, at + (upper >>> 8), left, pseudo))
  readTransport(dv, at + (upper >>> 8), left, upper & 255)
}

function readTransport(dv: DataView, at: number, octets: number, protocol: number): void {
  if (protocol === PROTOCOL_TCP && tcpHeaderOctets(dv, at, octets) > 0) {
    seen += tcpSourcePort(dv, at) + tcpDestinationPort(dv, at) + tcpSequence(dv, at)
    seen += tcpAcknowledgment(dv, at) + tcpFlags(dv, at) + tcpWindow(dv, at) + tcpChecksum(dv, at)
  }
  if (protocol === PROTOCOL_UDP) readUdp(dv, at, octets)
  const isIcmp = protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6
  if (isIcmp && octets >= ICMP_HEADER_OCTETS) {
    const type = icmpType(dv, at)
    seen += icmpCode(dv, at) + icmpIdentifier(dv, at) + icmpSequence(dv, at) + icmpMtu(dv, at)
    seen += icmpv6Mtu(dv, at) + Number(icmpIsError(type)) + Number(icmpv6IsError(type))
  }
}

function readUdp(dv: DataView, at: number, available: number): void {
  const octets = udpOctets(dv, at, available)
  if (octets < 0) return
  seen += udpSourcePort(dv, at) + udpChecksum(dv, at)
  if (udpDestinationPort(dv, at) !== VXLAN_PORT || octets < 8 + VXLAN_HEADER_OCTETS) return
  if (vxlanVni(dv, at + 8) < 0) return
  readFrame(dv, at + 16, octets - 16)
}

/** Everything that can be done with a frame; what it throws says nothing of the frame yet. */
function survive(frame: Uint8Array): void {
  const { dv, at } = atEnd(frame)
  const lines = [frameLine(dv, at, frame.length), vxlanLine(dv, at + 14, frame.length - 14)]
  for (const line of lines) {
    if (!/^[\x20-\x7e]+$/.test(line) || line.length > LINE_CHARACTERS_MAX) {
      throw new Error(`not one printable line: ${line}`)
    }
  }
  readFrame(dv, at, frame.length)
  if (!Number.isFinite(seen)) throw new Error('a reader gave something that is no number')
  seen = 0
}

function surviveOr(frame: Uint8Array, explain: () => string): void {
  try {
    survive(frame)
  } catch (error) {
    throw new Error(`${explain()}; frame ${hexOf(frame)}: ${String(error)}`, { cause: error })
  }
}

for (const name of vectorNames()) {
  const golden = vector(name)

  test(`cut at every length: ${name}`, t => {
    for (const from of [0, INNER_FRAME]) {
      for (let end = from; end <= golden.length; end += 1) {
        surviveOr(golden.slice(from, end), () => `${name} from ${from} to ${end}`)
      }
    }
    t.pass()
  })

  test(`every bit flipped: ${name}`, t => {
    for (let bit = 0; bit < golden.length * 8; bit += 1) {
      const frame = golden.slice()
      frame[bit >>> 3]! ^= 0x80 >>> (bit & 7)
      surviveOr(frame, () => `${name} with bit ${bit} flipped`)
    }
    t.pass()
  })
}

/** Octets that sit on an edge somewhere: flags, versions, header lengths, protocol numbers. */
const EDGES = [0, 1, 6, 8, 17, 43, 44, 58, 60, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0x81, 0x88, 0xfe, 0xff]

function mutate(random: Random32, frame: Uint8Array, other: Uint8Array): Uint8Array {
  const at = pick(random, frame.length)
  // Headers are where the decisions are made: most changes go there.
  const headAt = pick(random, Math.min(frame.length, 120))
  switch (pick(random, 6)) {
    case 0: frame[headAt]! ^= 1 << pick(random, 8); return frame
    case 1: frame[headAt] = EDGES[pick(random, EDGES.length)]!; return frame
    case 2: frame[at] = random(); return frame
    case 3: return frame.slice(0, Math.max(1, at))
    case 4: frame.copyWithin(headAt, at, at + pick(random, 40)); return frame
    default: frame.set(other.subarray(0, Math.max(0, frame.length - at)), at); return frame
  }
}

test(`${MUTATIONS} changes at random, seed ${SEED}`, t => {
  const goldens = vectorNames().map(vector)
  for (let round = 0; round < MUTATIONS; round += 1) {
    const random = makeRandom(SEED + round)
    const from = pick(random, 2) * INNER_FRAME
    let frame: Uint8Array = goldens[pick(random, goldens.length)]!.slice(from)
    const other = goldens[pick(random, goldens.length)]!
    const changes = 1 + pick(random, 6)
    for (let change = 0; change < changes; change += 1) frame = mutate(random, frame, other)
    surviveOr(frame, () => `TAPMESH_FUZZ_SEED=${SEED}, round ${round}`)
  }
  t.pass()
})

test('the net catches a reader that looks behind the frame', t => {
  const { dv, at } = atEnd(vector('arp-request').slice(0, INNER_FRAME + 14))
  t.throws(() => arpSenderAddress(dv, at + INNER_FRAME + 14), { instanceOf: RangeError })
})
