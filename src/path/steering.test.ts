// The kernel's choice of a queue is our own choice of a sending socket: the program against
// flowHash(), over frames of all kinds.
import test from 'ava'
import fc from 'fast-check'
import { runEbpf } from '../wire/ebpf.test-kit.ts'
import { AT, INNER_FRAME, ringOf, vector, vectorNames } from '../wire/vectors.test-kit.ts'
import { flowHash, makeFrame, parseFrame } from './frame.ts'
import {
  arpRequest, ether, ipv4, ipv6, payloadOf, station, tcp, udp, udpFrame, VLAN_10,
} from './frames.test-kit.ts'
import { makeSteering, workerOf, WORKERS_MAX } from './steering.ts'

const SENDERS = 16
/** As many source ports as a daemon may have with several workers. */
const PORTS = [2, 4, 8, SENDERS]
const A = station('10.0.1.2')
const B = station('10.0.1.3')

function hash(octets: Uint8Array): number {
  const view = ringOf(octets)
  const frame = makeFrame()
  parseFrame(view, AT, octets.length, frame)
  return flowHash(view, frame)
}

/** Tagged frames have the tag beside them in the kernel, so the program does not see it. */
const isTagged = (name: string): boolean => /^(vlan|qinq)/.test(name)

for (const name of vectorNames().filter(name => !isTagged(name))) {
  test(`the same worker: ${name}`, t => {
    const octets = vector(name).subarray(INNER_FRAME)
    if (octets.length < 14) return t.pass()
    for (const workers of [1, 2, 3, 5, 8, WORKERS_MAX]) {
      const worker = runEbpf(makeSteering(workers, SENDERS), octets)
      t.is(worker, workerOf(hash(octets), workers, SENDERS), `${workers} workers`)
    }
  })
}

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const port = fc.integer({ min: 0, max: 65_535 })
const words4 = fc.tuple(word, word, word, word)
const dotted = fc.ipV4()
const message = fc.tuple(fc.constantFrom(1, 6, 17, 47, 132), port, port)
  .map(([protocol, from, to]) => {
    const make = protocol === 6 ? tcp : udp
    return { protocol, octets: make(from, to, payloadOf(9)) }
  })
const v4 = fc.tuple(dotted, dotted, message, fc.constantFrom(0, 0x4000, 0x2000, 0x2010, 7),
  fc.integer({ min: 0, max: 10 })).map(([source, destination, { protocol, octets }, fragment,
  options]) => ether(B.mac, A.mac, 0x0800, ipv4({ source, destination, protocol, fragment,
  options: new Uint8Array(options * 4).fill(1) }, octets)))
const v6 = fc.tuple(words4, words4, message).map(([source, destination, { protocol, octets }]) =>
  ether(B.mac, A.mac, 0x86dd, ipv6({ source, destination, nextHeader: protocol }, octets)))
const other = fc.tuple(fc.uint8Array({ minLength: 12, maxLength: 12 }), port.filter(type =>
  ![0x0800, 0x86dd, 0x8100, 0x88a8, 0x9100].includes(type))).map(([macs, type]) =>
  Uint8Array.of(...macs, type >> 8, type & 255, ...payloadOf(46)))

for (const [name, frames] of [['IPv4', v4], ['IPv6', v6], ['neither', other]] as const) {
  test(`the same worker: any frame of ${name}`, t => {
    const most = fc.integer({ min: 1, max: WORKERS_MAX })
    fc.assert(fc.property(frames, most, fc.constantFrom(...PORTS), (octets, some, ports) => {
      const workers = Math.min(some, ports)
      return runEbpf(makeSteering(workers, ports), octets)
        === workerOf(hash(octets), workers, ports)
    }), { numRuns: 500 })
    t.pass()
  })
}

test('every worker has flows, and each sender belongs to one worker', t => {
  for (const ports of PORTS) {
    for (let workers = 1; workers <= ports; workers++) {
      const owners = Array.from({ length: ports }, (_, flow) => workerOf(flow, workers, ports))
      t.deepEqual([...new Set(owners)], Array.from({ length: workers }, (_, n) => n))
    }
  }
})

test('a program is short, and ends for what is no whole frame', t => {
  const program = makeSteering(4, SENDERS)
  t.true(program.length / 8 < 100)
  const frames = [udpFrame(A, B, payloadOf(3)), arpRequest(A, B.address),
    udpFrame(A, B, payloadOf(3), { tags: [VLAN_10] })]
  for (const octets of frames) {
    for (let length = 0; length <= octets.length; length++) {
      const worker = runEbpf(program, octets.subarray(0, length))
      t.true(worker >= 0 && worker < 4)
    }
  }
})
