// Connections that begin ask for segments that fit the network, whoever begins them, wherever they
// go; all else passes as it is. A failing run is repeated with the seed that fast-check prints.
import test from 'ava'
import fc from 'fast-check'
import { linkLocalWords } from '../base/text.ts'
import { hexOf, octetsOf } from '../wire/vectors.test-kit.ts'
import {
  ether, ipv4, ipv6, payloadOf, segmentOf, SERVICE_VLAN_100, station, viewOf, VLAN_10,
  withChecksum,
} from './frames.test-kit.ts'
import { Lab, MTU } from './lab.test-kit.ts'
import { OffloadHost } from './offload-host.test-kit.ts'
import {
  faultOf, finished, firstDifference, type Passed, segmentsOf, shapeOf,
} from './offload.test-kit.ts'
import { ACK, endsOf, mssFrame, mssOf, RST, serviceLab, SYN, VIP } from './services.test-kit.ts'

const A = station('10.0.1.2')
const B = station('10.0.1.3')
const PLAIN = '0800000000100100'
const MARKED = '0820000000100100'
/** As Linux sends them: MSS, SACK, time stamps, scale. */
const LINUX = '020405b4 0402 080a 01020304 00000000 01 030307'
/** At an odd place. */
const ODD = '01 020405b4 030307'
const L4_OF = { 4: 20, 6: 40 } as const

type Words = {
  version?: 4 | 6
  options?: string
  flags?: number
  tags?: readonly number[]
  payload?: Uint8Array
  kind?: 'right' | 'partial'
  from?: typeof A
  to?: typeof A
}

/** A whole frame that begins a connection, unless `flags` say otherwise. */
function syn(words: Words = {}): Uint8Array {
  const { version = 4, options = LINUX, flags = SYN, tags = [], kind = 'right', from = A, to = B,
    payload = new Uint8Array() } = words
  const list = octetsOf(options)
  const segment = segmentOf(5000, 80, flags, 1, 1, Uint8Array.of(...list, ...payload))
  segment[12] = (20 + list.length) << 2
  const packet = version === 4
    ? ipv4({ source: from.address, destination: to.address, protocol: 6 }, segment)
    : ipv6({ source: linkLocalWords(from.mac), destination: linkLocalWords(to.mac), nextHeader: 6 },
      segment)
  return ether(to.mac, from.mac, version === 4 ? 0x0800 : 0x86dd, withChecksum(packet, kind), tags)
}

/** `frame` with another number at `at` of the TCP header; a checksum that is whole fits again. */
function lowered(frame: Uint8Array, at: number, mss: number, kind = 'right'): Uint8Array {
  const done = frame.slice()
  const shape = shapeOf(done)!
  viewOf(done).setUint16(shape.l4At + at, mss)
  return kind === 'partial' ? done : finished(done, shape)
}

/** Two hosts, A on the first, B on the second. */
function pair(options: { mtu?: number; promiscuous?: boolean } = {}) {
  const { promiscuous = false, ...rest } = options
  const lab = new Lab(rest)
  const [one, two] = [lab.host(0), lab.host(1)]
  return { lab, one, two, a: one.addEndpoint(A.address, { promiscuous }),
    b: two.addEndpoint(B.address) }
}

const VERSIONS = [[4, MTU - 40], [6, MTU - 60]] as const
const TAGS: [name: string, tags: number[]][] = [
  ['', []], [' in a VLAN', [VLAN_10]], [' in two VLANs', [SERVICE_VLAN_100, VLAN_10]],
]
for (const [version, most] of VERSIONS) {
  for (const [where, tags] of TAGS) {
    for (const flags of [SYN, SYN | ACK, SYN | 0xc0]) {
      test(`IPv${version}${where}, flags ${flags}: what does not fit is lowered, once`, t => {
        for (const [options, at] of [[LINUX, 22], [ODD, 23]] as const) {
          const { lab, one, two, a, b } = pair()
          const frame = syn({ version, options, tags, flags })
          a.send(frame)
          lab.run()
          const fits = most - tags.length * 4
          t.is(hexOf(b.take()!.octets), hexOf(lowered(frame, at, fits)))
          t.is(one.count('tcp.mss_clamped'), 1)
          t.is(two.count('tcp.mss_clamped'), 0, 'it fits already')
          a.send(lowered(frame, at, fits))
          lab.run()
          t.is(hexOf(b.take()!.octets), hexOf(lowered(frame, at, fits)))
          t.is(one.count('tcp.mss_clamped'), 1)
        }
      })
    }
  }
  test(`IPv${version}: a segment of the size that is told just fits`, t => {
    const { lab, one, a, b } = pair()
    const send = (octets: number) => {
      a.send(syn({ version, flags: ACK, options: '', payload: payloadOf(octets) }))
      lab.run()
      return b.takeAll().length
    }
    t.deepEqual([send(most), send(most + 1)], [1, 0])
    t.deepEqual(one.drops(), { too_large: 1 })
  })

  for (const kind of ['right', 'partial'] as const) {
    test(`IPv${version}: from a VTEP of another make, ${kind} checksum`, t => {
      for (const [options, at] of [[LINUX, 22], [ODD, 23]] as const) {
        const { lab, one, a } = pair()
        const frame = syn({ version, options, kind, from: B, to: A })
        one.receive(octetsOf(PLAIN + hexOf(frame)), lab.host(1).address)
        lab.run()
        const { octets, vnetHeader } = a.take()!
        t.is(hexOf(octets), hexOf(lowered(frame, at, most, kind)))
        t.is(vnetHeader[0], kind === 'partial' ? 1 : 0)
        t.is(one.count('tcp.mss_clamped'), 1)
      }
    })

    test(`IPv${version}: from one that marks what it leaves partial, ${kind}`, t => {
      const { lab, one, a } = pair()
      one.rows.members.forEach(member => { member.marksPartial = true })
      one.adopt()
      const frame = syn({ version, kind, from: B, to: A })
      one.receive(octetsOf((kind === 'partial' ? MARKED : PLAIN) + hexOf(frame)),
        lab.host(1).address)
      lab.run()
      t.is(hexOf(a.take()!.octets), hexOf(lowered(frame, 22, most, kind)))
    })

    test(`IPv${version}: from a task whose kernel leaves a ${kind} checksum, also to a VTEP `
      + 'that finishes it', t => {
      for (const remoteChecksum of [false, true]) {
        const host = new OffloadHost({ endpoints: [A], remoteChecksum })
        host.meet(B)
        const frame = syn({ version, kind })
        const header = new Uint8Array(10)
        if (kind === 'partial') header.set([1, 0, 0, 0, 0, 0, 14 + L4_OF[version], 0, 16, 0])
        const [datagram] = host.fromPort(0, { octets: frame, header })
        const isLeft = kind === 'partial' && remoteChecksum
        t.is(hexOf(datagram!.octets.subarray(8)),
          hexOf(lowered(frame, 22, most, isLeft ? 'partial' : 'right')))
      }
    })
  }
}

test('a neighbour on the same host, and one behind an unknown MAC', t => {
  const lab = new Lab()
  const one = lab.host(0)
  const [a, b] = [one.addEndpoint(A.address), one.addEndpoint(B.address)]
  const far = lab.host(1).addEndpoint('10.0.1.9', { promiscuous: true })
  a.send(syn(), syn({ to: station('10.0.1.77') }))
  lab.run()
  t.is(hexOf(b.take()!.octets), hexOf(lowered(syn(), 22, MTU - 40)))
  t.is(hexOf(far.take()!.octets),
    hexOf(lowered(syn({ to: station('10.0.1.77') }), 22, MTU - 40)))
})

for (const address of ['10.0.1.9', '10.0.1.3']) {
  test(`to a virtual address, whose task is ${address}, and back`, t => {
    const { lab, client, here, there } = serviceLab([{ id: 0, address }], 'rr', { mtu: 1350 })
    const backend = address === here.address ? here : there
    client.send(mssFrame(client, VIP, [5000, 80], SYN, 1460))
    lab.run()
    const [first] = backend.takeAll()
    t.deepEqual([endsOf(first!), mssOf(first!), faultOf(first!)],
      [`10.0.1.2:5000 > ${address}:80`, 1310, ''])
    backend.send(mssFrame(backend, client, [80, 5000], SYN | ACK, 1410))
    lab.run()
    const [back] = client.takeAll()
    t.deepEqual([endsOf(back!), mssOf(back!), faultOf(back!)],
      ['10.0.1.100:80 > 10.0.1.2:5000', 1310, ''])
  })
}

/** A super-frame that begins a connection: no kernel makes one, a packet socket may. */
test('a super-frame is lowered before it is cut', t => {
  const host = new OffloadHost({ endpoints: [A] })
  host.meet(B)
  const octets = syn({ payload: payloadOf(3000), kind: 'partial' })
  const header = Uint8Array.of(1, 1, 74, 0, 1000 & 255, 1000 >> 8, 34, 0, 16, 0)
  const whole: Passed = { octets, header }
  const wanted = segmentsOf(lowered(octets, 22, MTU - 40, 'partial'), 1000)
  const got = host.fromPort(0, whole).map(datagram => datagram.octets.slice(8))
  t.is(firstDifference(got, wanted), '')
  t.deepEqual(host.counted()['tcp.mss_clamped'], 1)
})

const inIpv4 = (fragment: number, payload: Uint8Array) => ether(B.mac, A.mac, 0x0800,
  ipv4({ source: A.address, destination: B.address, protocol: 6, fragment }, payload))
const segmentIn = (frame: Uint8Array) => frame.subarray(34)
const AS_IT_IS: [name: string, frame: Uint8Array][] = [
  ['it asks for less', syn({ options: '02040218' })],
  ['it asks for just that', syn({ options: '02040582' })],
  ['it asks for nothing', syn({ options: '' })],
  ['it says nothing of it', syn({ options: '0402 0101' })],
  ['the middle of a connection', syn({ flags: ACK })],
  ['the end of one', syn({ flags: RST | ACK })],
  ['signed options', syn({ options: '020405b4 1d10 0101 000102030405060708090a0b' })],
  ['an option of length 0', syn({ options: 'fd00 020405b4 0000' })],
  ['an option longer than the header', syn({ options: '020405b4 fd09 0000' })],
  ['MSS of 3 octets', syn({ options: '020305 00' })],
  ['a header longer than the packet', inIpv4(0, segmentIn(syn()).subarray(0, 24))],
  ['a header that is cut', inIpv4(0, segmentIn(syn()).subarray(0, 19))],
  ['a header without its flags', inIpv4(0, segmentIn(syn()).subarray(0, 12))],
  ['a header shorter than a header', inIpv4(0, Uint8Array.of(...segmentIn(syn())).fill(0x42))],
  ['the first part of a packet', inIpv4(0x2000, segmentIn(syn()))],
  ['a later part', inIpv4(0x0002, segmentIn(syn()))],
  ['IPv6 behind an extension header', ether(B.mac, A.mac, 0x86dd, ipv6({
    source: linkLocalWords(A.mac), destination: linkLocalWords(B.mac), nextHeader: 0 },
  Uint8Array.of(6, 0, 1, 4, 0, 0, 0, 0, ...syn({ version: 6 }).subarray(54))))],
  ['UDP that looks like it', ether(B.mac, A.mac, 0x0800, ipv4({ source: A.address,
    destination: B.address, protocol: 17 }, segmentIn(syn())))],
  ['no IP', ether(B.mac, A.mac, 0x88b5, syn().subarray(14))],
]
for (const [name, frame] of AS_IT_IS) {
  test(`passes as it is: ${name}`, t => {
    const { lab, one, two, a, b } = pair()
    a.send(frame)
    lab.run()
    t.is(hexOf(b.take()?.octets ?? new Uint8Array()), hexOf(frame))
    t.is(one.count('tcp.mss_clamped') + two.count('tcp.mss_clamped'), 0)
  })
}

test('of any options only the MSS and the checksum change, and it stays right', t => {
  const options = fc.uint8Array({ maxLength: 10 }).chain(({ length }) => fc.array(
    fc.oneof(fc.constantFrom(0, 1, 1, 2, 4, 5, 29), fc.nat(255)),
    { minLength: length * 4, maxLength: length * 4 }))
  const likely = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat(0xffff)).map(([nops, mss]) =>
    [...new Array<number>(nops).fill(1), 2, 4, mss >> 8, mss & 255,
      ...new Array<number>((4 - nops % 4) % 4).fill(0)])
  const { lab, one, a, b } = pair({ mtu: 576 })
  fc.assert(fc.property(fc.oneof(options, likely), fc.constantFrom(4 as const, 6 as const),
    fc.uint8Array({ maxLength: 40 }), (list, version, payload) => {
      const frame = syn({ version, options: hexOf(Uint8Array.from(list)), payload })
      const before = one.count('tcp.mss_clamped')
      a.send(frame)
      lab.run()
      const [got] = b.takeAll()
      const at = 14 + L4_OF[version]
      const differing = Array.from(frame.keys()).filter(i => frame[i] !== got![i])
        .filter(i => i < at + 16 || i > at + 17)
      if (faultOf(got!) !== '') throw new Error(faultOf(got!))
      const isLowered = one.count('tcp.mss_clamped') > before
      if (!isLowered && hexOf(got!) !== hexOf(frame)) throw new Error('changed without a word')
      if (got!.length !== frame.length || differing.length > 2
        || differing.some(i => i < at + 22)) {
        throw new Error('too much')
      }
    }), { numRuns: 2000 })
  t.true(one.count('tcp.mss_clamped') > 100)
})
