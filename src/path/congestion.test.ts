// DSCP and ECN between inner and outer header: RFC 6040 sections 4.1 and 4.2, RFC 2983.
import test from 'ava'
import { linkLocalWords } from '../base/text.ts'
import { foldSum, sumOctets } from '../wire/checksum.ts'
import { hexOf, octetsOf } from '../wire/vectors.test-kit.ts'
import { TOKEN_UNDERLAY } from './engine.ts'
import {
  arpRequest, BROADCAST, ether, ipv6Frame, payloadOf, SERVICE_VLAN_100, station, udp, udpFrame,
  viewOf, VLAN_10,
} from './frames.test-kit.ts'
import { Lab } from './lab.test-kit.ts'

const A = station('10.0.1.2')
const B = station('10.0.1.3')
const DSCP_EF = 0xb8
const TAGS: readonly (readonly number[])[] = [[], [VLAN_10], [SERVICE_VLAN_100, VLAN_10]]

function v4(from: typeof A, to: typeof A, tos: number, tags: readonly number[] = []): Uint8Array {
  return udpFrame(from, to, payloadOf(33), { tos, tags })
}

function v6(from: typeof A, to: typeof A, tos: number, tags: readonly number[] = []): Uint8Array {
  const [source, destination] = [linkLocalWords(from.mac), linkLocalWords(to.mac)]
  return ipv6Frame(from, to, { source, destination, nextHeader: 17, trafficClass: tos,
    flowLabel: 0xabcde }, udp(1, 2, payloadOf(33)), tags)
}

/** The outer TOS octet that host one gives to a frame of A. */
function outerTos(frame: Uint8Array, inheritDscp: boolean): number {
  const lab = new Lab({ inheritDscp })
  const a = lab.host(0).addEndpoint(A.address)
  const wire = lab.host(1).underlay.inbound
  lab.host(1).waiter.makeUnwatched(TOKEN_UNDERLAY)
  a.send(frame)
  lab.run()
  const datagram = wire.shift()!
  // The frame itself is never changed on its way in.
  if (hexOf(datagram.octets.subarray(8)) !== hexOf(frame)) throw new Error('the frame was changed')
  return datagram.tos
}

/** What endpoint A gets when the outer header says `tos`, and the drops of its host. */
function arrive(frame: Uint8Array, tos: number) {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint(A.address)
  lab.host(0).receive(octetsOf(`0800000000100100${hexOf(frame)}`), lab.host(1).address, tos)
  lab.run()
  return { frames: a.takeAll(), drops: lab.host(0).drops() }
}

for (const [name, make] of [['IPv4', v4], ['IPv6', v6]] as const) {
  test(`in: the outer header has the ECN of the inner ${name}, and its DSCP if so set`, t => {
    for (const tags of TAGS) {
      for (let ecn = 0; ecn < 4; ecn++) {
        t.is(outerTos(make(A, B, DSCP_EF | ecn, tags), false), ecn)
        t.is(outerTos(make(A, B, DSCP_EF | ecn, tags), true), DSCP_EF | ecn)
      }
    }
    t.is(outerTos(make(A, B, 0xff, []), true), 0xff)
  })
}

test('in: what is not IP has no mark outside', t => {
  for (const inheritDscp of [false, true]) {
    t.is(outerTos(arpRequest(A, B.address), inheritDscp), 0)
    t.is(outerTos(ether(BROADCAST, A.mac, 0x88b5, new Uint8Array(60).fill(0xff)), inheritDscp), 0)
  }
})

/** RFC 6040 figure 4: rows are the inner field, columns the outer 0, 1, 2 and 3. */
const DROP = -1
const FIGURE_4: [inner: number, outer: readonly number[]][] = [
  [0, [0, 0, 0, DROP]],
  [2, [2, 1, 2, 3]],
  [1, [1, 1, 1, 3]],
  [3, [3, 3, 3, 3]],
]
for (const [name, make] of [['IPv4', v4], ['IPv6', v6]] as const) {
  for (const [inner, row] of FIGURE_4) {
    row.forEach((expected, outer) => {
      test(`out: ${name} with inner ECN ${inner} and outer ${outer} becomes ${expected}`, t => {
        for (const tags of TAGS) {
          const { frames, drops } = arrive(make(B, A, DSCP_EF | inner, tags), 0x28 | outer)
          if (expected === DROP) {
            t.deepEqual([frames, drops], [[], { ecn_congestion: 1 }])
            continue
          }
          t.deepEqual(frames.map(hexOf), [hexOf(make(B, A, DSCP_EF | expected, tags))])
          t.deepEqual(drops, {})
        }
      })
    })
  }
}

test('out: the IPv4 header checksum holds after every change', t => {
  for (let dscp = 0; dscp < 64; dscp++) {
    const { frames } = arrive(v4(B, A, (dscp << 2) | 2), 3)
    t.is(foldSum(sumOctets(viewOf(frames[0]!), 14, 20, 0)), 0xffff)
    t.is(frames[0]![15], (dscp << 2) | 3)
  }
})

test('out: the outer DSCP changes nothing inside', t => {
  const frame = v4(B, A, DSCP_EF)
  t.deepEqual(arrive(frame, 0x20).frames.map(hexOf), [hexOf(frame)])
})

test('out: congestion says nothing to what is not IP, or not whole', t => {
  const broken = v4(B, A, 2)
  broken[14] = 0x55
  for (const frame of [arpRequest(B, A.address), broken]) {
    const { frames, drops } = arrive(frame, 3)
    t.deepEqual(frames.map(hexOf), [hexOf(frame)])
    t.deepEqual(drops, {})
  }
})

test('a packet dropped for congestion teaches nothing', t => {
  const lab = new Lab()
  lab.host(0).addEndpoint(A.address)
  lab.host(0).receive(octetsOf(`0800000000100100${hexOf(v4(B, A, 0))}`), lab.host(1).address, 3)
  lab.run()
  t.is(lab.host(0).learnedCount, 0)
})
