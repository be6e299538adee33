// Trains of datagrams on a real kernel: what UdpPort sends is looked at by a socket with UDP_GRO,
// over the loopback device of a namespace, where the kernel leaves a train as it was sent.
import t from 'tap'
import type { Test } from 'tap'
import { exec } from '../src/base/exec.ts'
import { parseIpv4 } from '../src/base/text.ts'
import { makeArena } from '../src/kernel/arena.ts'
import {
  ENETUNREACH, IPPROTO_IP, IPPROTO_UDP, IP_TOS, MSG_DONTWAIT, SOL_SOCKET, SO_NO_CHECK, UDP_GRO,
} from '../src/kernel/constants.ts'
import {
  CMSG_DATA, CMSG_LEVEL, CMSG_TYPE, CONTROL_OCTETS, MESSAGE_OCTETS, RECEIVED_OCTETS,
} from '../src/kernel/message-header.ts'
import { createNetns, deleteNetns, primeThreadPool, withNetns } from '../src/kernel/netns.ts'
import { ADDRESS_STEP_OCTETS, makeRoom, type Ring } from '../src/kernel/ring.ts'
import { close as closeFd, recvmmsg, setsockopt } from '../src/kernel/syscalls.ts'
import {
  makeReceiveHeaders, RECEIVE_BATCH, RECEIVE_CONTROL_OCTETS, type ReceiveHeaders, SLOT_LEAD_OCTETS,
  SLOT_OCTETS,
} from '../src/kernel/udp-headers.ts'
import { UdpPort } from '../src/kernel/udp-port.ts'
import { openUnderlay, type UnderlaySockets, type UnderlaySpec } from '../src/kernel/underlay.ts'
import { lacking } from './lib/needs.ts'
import { until } from './lib/wait.ts'

const NETNS = `tm-${process.pid}-trains`
const FROM = '127.0.0.1'
const PLACES = ['127.0.0.2', '127.0.0.3'] as const
const NOWHERE = 2
const HEAD_OCTETS = 8
/** Bodies overlap; only their first octets are their own. */
const BODY_STEP = 64
const BODY_OCTETS_MAX = 9000
const QUEUED_MAX = 4096
const skip = lacking({})

/** What one recvmsg brought. */
type Train = { octets: number; segment: number; tos: number; numbers: number[] }
type Sent = { octets: number; to?: number; tos?: number; flow?: number }

function underlay(address: string, over: Partial<UnderlaySpec> = {}): UnderlaySockets {
  return withNetns(NETNS, () => openUnderlay({ address: parseIpv4(address), port: 4789, ttl: 64,
    udpChecksum: true, mtu: 1500, segment: true, gro: true, receivers: 1, senders: 4, ...over }))
}

/** Receives trains and leaves them whole. */
class TrainReader {
  readonly #ring: Ring = makeArena()
  readonly #headers: ReceiveHeaders = makeReceiveHeaders(this.#ring)
  readonly #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  read(): Train[] {
    const { addresses, view } = this.#ring
    const { messages } = this.#headers
    const trains: Train[] = []
    for (;;) {
      const count = recvmmsg(this.#fd, addresses[messages / ADDRESS_STEP_OCTETS] as number,
        RECEIVE_BATCH, MSG_DONTWAIT)
      if (count <= 0) return trains
      for (let i = 0; i < count; i++) {
        trains.push(this.#train(i))
        view.setInt32(messages + i * MESSAGE_OCTETS + CONTROL_OCTETS, RECEIVE_CONTROL_OCTETS, true)
      }
    }
  }

  #train(i: number): Train {
    const { view } = this.#ring
    const { messages, controls, slots } = this.#headers
    const message = messages + i * MESSAGE_OCTETS
    const octets = view.getInt32(message + RECEIVED_OCTETS, true)
    const at = controls + i * RECEIVE_CONTROL_OCTETS
    const end = at + view.getInt32(message + CONTROL_OCTETS, true)
    const train: Train = { octets, segment: octets, tos: 0, numbers: [] }
    for (let next = at; next + CMSG_DATA < end; next += (view.getInt32(next, true) + 7) & ~7) {
      const [level, type] = [CMSG_LEVEL, CMSG_TYPE].map(field => view.getInt32(next + field, true))
      if (level === IPPROTO_IP && type === IP_TOS) train.tos = view.getUint8(next + CMSG_DATA)
      if (level === IPPROTO_UDP && type === UDP_GRO) {
        train.segment = view.getInt32(next + CMSG_DATA, true)
      }
    }
    const first = slots + i * SLOT_OCTETS + SLOT_LEAD_OCTETS
    for (let offset = 0; offset < octets; offset += train.segment) {
      const number = view.getUint32(first + offset)
      const isWhole = view.getUint32(first + offset + HEAD_OCTETS) === number
      train.numbers.push(isWhole ? number : Number.NaN)
    }
    return train
  }
}

/** A sender and two receivers. */
class Wire {
  readonly sockets: UnderlaySockets
  readonly port: UdpPort
  readonly readers: TrainReader[]
  readonly #receivers: UnderlaySockets[]
  readonly #ring: Ring
  readonly #heads: number
  readonly #bodies: number
  #number = 0

  constructor(over: Partial<UnderlaySpec> = {}) {
    this.#ring = makeArena(192)
    this.sockets = underlay(FROM, over)
    this.port = new UdpPort(this.#ring, this.sockets)
    this.#receivers = PLACES.map(place => underlay(place))
    this.readers = this.#receivers.map(({ receivers }) => new TrainReader(receivers[0]!))
    PLACES.forEach((place, i) => this.port.setDestination(i, parseIpv4(place), 4789))
    this.port.setDestination(NOWHERE, parseIpv4('192.0.2.1'), 4789)
    this.#heads = makeRoom(this.#ring, QUEUED_MAX * HEAD_OCTETS)
    this.#bodies = makeRoom(this.#ring, QUEUED_MAX * BODY_STEP + BODY_OCTETS_MAX)
  }

  /** Queue datagrams, each with its number at the start of head and body, and send them. */
  send(...datagrams: Sent[]): void {
    for (const { octets, to = 0, tos = 0, flow = 0 } of datagrams) {
      const place = this.#number % QUEUED_MAX
      const [head, body] = [this.#heads + place * HEAD_OCTETS, this.#bodies + place * BODY_STEP]
      this.#ring.view.setUint32(head, this.#number)
      this.#ring.view.setUint32(body, this.#number)
      this.#number += 1
      this.port.queue(to, flow, tos, head, HEAD_OCTETS, body, octets - HEAD_OCTETS)
    }
    this.port.flush()
  }

  /** What one place got since the last look: how many datagrams each message had. */
  async trains(count: number, place = 0): Promise<Train[]> {
    const got: Train[] = []
    await until(`${count} messages`, () => {
      got.push(...this.readers[place]!.read())
      return got.length >= count
    })
    return got
  }

  async sizes(count: number, place = 0): Promise<number[]> {
    return (await this.trains(count, place)).map(({ numbers }) => numbers.length)
  }

  close(): void {
    this.port.close()
    for (const { receivers, senders } of this.#receivers) {
      for (const fd of [...receivers, ...senders]) closeFd(fd)
    }
  }
}

const same = (count: number, one: Sent): Sent[] => Array.from({ length: count }, () => one)
const flat = (trains: Train[]) => trains.flatMap(({ numbers }) => numbers)
const upTo = (count: number, first = 0) => Array.from({ length: count }, (_, n) => n + first)

function check(name: string, body: (t: Test, wire: Wire) => Promise<void>,
  over: Partial<UnderlaySpec> = {}): void {
  t.test(name, { skip }, async t => {
    const wire = new Wire(over)
    t.teardown(() => wire.close())
    await body(t, wire)
  })
}

if (skip === false) {
  t.before(async () => {
    await primeThreadPool()
    createNetns(NETNS)
    await exec(['ip', '-n', NETNS, 'link', 'set', 'lo', 'up'])
  })
  t.teardown(() => deleteNetns(NETNS))
}

check('datagrams of one size travel together, 64 at most', async (t, wire) => {
  wire.send(...same(64 + 6, { octets: 1000 }))
  const trains = await wire.trains(2)
  t.same(trains.map(({ octets, segment }) => [octets, segment]), [[64_000, 1000], [6000, 1000]])
  t.same(flat(trains), upTo(70))
  t.ok(wire.port.hasTrains)
})

check('a shorter one is the last of its train, a longer the first of the next', async (t, wire) => {
  wire.send(...[1000, 1000, 400, 400, 400, 1000, 1000, 999].map(octets => ({ octets })))
  const trains = await wire.trains(3)
  t.same(trains.map(({ numbers, segment }) => [numbers.length, segment]),
    [[3, 1000], [2, 400], [3, 1000]])
  t.same(flat(trains), upTo(8))
})

check('another place or another TOS begins a new train', async (t, wire) => {
  const [a, b, marked] = [{ octets: 500 }, { octets: 500, to: 1 }, { octets: 500, tos: 0xb9 }]
  wire.send(a, a, b, b, b, a, marked, marked, a)
  const here = await wire.trains(4)
  t.same(here.map(({ numbers, tos }) => [numbers, tos]),
    [[[0, 1], 0], [[5], 0], [[6, 7], 0xb9], [[8], 0]])
  t.same((await wire.trains(1, 1)).map(({ numbers }) => numbers), [[2, 3, 4]])
})

check('each flow has its own trains, from its own source port', async (t, wire) => {
  const mixed = Array.from({ length: 20 }, (_, n) => ({ octets: 300, flow: n % 4 }))
  wire.send(...mixed)
  const trains = await wire.trains(4)
  t.same(trains.map(({ numbers }) => numbers.map(n => n % 4)),
    [0, 1, 2, 3].map(flow => same(5, { octets: 0 }).map(() => flow)))
})

check('65,507 octets are the most of a train', async (t, wire) => {
  wire.send(...same(60, { octets: 1400 }), ...same(10, { octets: 8900, to: 1 }))
  t.same(await wire.sizes(2), [46, 14])
  t.same(await wire.sizes(2, 1), [7, 3])
  // Trains of exactly so much, and of one octet more: the kernel cuts them itself on this device,
  // but nothing may be refused or lost for it.
  for (const total of [65_507, 65_508]) {
    wire.send(...same(22, { octets: 2977 }), { octets: total - 22 * 2977 })
    const seen = flat(await wire.trains(23))
    t.same(seen, upTo(23, seen[0]), `${total} octets`)
  }
  t.equal(wire.port.refused[0], 0)
  t.ok(wire.port.hasTrains)
}, { mtu: 9000 })

check('what is larger than the device takes travels alone', async (t, wire) => {
  wire.send(...same(3, { octets: 1473 }), ...same(3, { octets: 1472 }))
  t.same(await wire.sizes(4), [1, 1, 1, 3])
})

check('more than a sender holds is sent when it is full, in order', async (t, wire) => {
  const many = Array.from({ length: 3000 }, (_, n) => ({ octets: 60 + (n % 97 === 0 ? 30 : 0) }))
  wire.send(...many)
  const seen: number[] = []
  await until('3000 datagrams', () => {
    seen.push(...flat(wire.readers[0]!.read()))
    return seen.length >= 3000
  })
  t.same(seen, upTo(3000))
  const singles = upTo(300).map(n => ({ octets: 100 + n })) // each longer: 300 messages of one
  wire.send(...singles)
  t.same(flat(await wire.trains(300)), upTo(300, 3000))
})

check('senders that are full do not reach into each other', async (t, wire) => {
  const mixed = Array.from({ length: 3200 }, (_, n) => ({ octets: 60, flow: n % 2 }))
  wire.send(...mixed)
  const seen: number[] = []
  await until('3200 datagrams', () => {
    seen.push(...flat(wire.readers[0]!.read()))
    return seen.length >= 3200
  })
  for (const flow of [0, 1]) {
    t.same(seen.filter(number => number % 2 === flow), upTo(1600).map(n => 2 * n + flow))
  }
  t.equal(seen.length, 3200)
})

for (const [what, over] of [['UDP_SEGMENT', { segment: false }],
  ['a checksum', { udpChecksum: false }]] as const) {
  check(`without ${what} datagrams travel alone`, async (t, wire) => {
    t.notOk(wire.port.hasTrains)
    wire.send(...same(5, { octets: 1000, tos: 2 }))
    const trains = await wire.trains(5)
    t.same(trains.map(({ numbers, tos }) => [numbers, tos]), upTo(5).map(n => [[n], 2]))
  }, over)
}

check('a kernel that refuses a train gets its datagrams singly from then on', async (t, wire) => {
  // With its checksum switched off, a socket answers EINVAL to UDP_SEGMENT: udp_send_skb.
  for (const fd of wire.sockets.senders) {
    setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, new Uint8Array(Int32Array.of(1).buffer))
  }
  wire.send({ octets: 700, tos: 4 }, ...same(9, { octets: 900, tos: 1 }), { octets: 901 },
    ...same(4, { octets: 900 }))
  const trains = await wire.trains(15)
  t.same(trains.map(({ numbers }) => numbers), upTo(15).map(n => [n]))
  t.same(trains.map(({ tos }) => tos), [4, ...Array(9).fill(1), 0, 0, 0, 0, 0])
  t.equal(trains.reduce((sum, { octets }) => sum + octets, 0), 700 + 9 * 900 + 901 + 4 * 900)
  t.notOk(wire.port.hasTrains)
  t.equal(wire.port.refused[0], 0, 'nothing is lost for it')
  t.equal(wire.port.refusedOctets[0], 0)
  wire.send(...same(5, { octets: 900 }))
  t.same(await wire.sizes(5), [1, 1, 1, 1, 1])
})

check('a train to nowhere is counted datagram by datagram, and others go on', async (t, wire) => {
  wire.send(...same(3, { octets: 900 }), ...same(7, { octets: 900, to: NOWHERE }),
    ...same(4, { octets: 900 }))
  t.same(await wire.sizes(2), [3, 4])
  t.equal(wire.port.refused[0], 7)
  t.equal(wire.port.refused[ENETUNREACH], 7)
  t.equal(wire.port.refusedOctets[0], 7 * 900)
  t.ok(wire.port.hasTrains, 'for that is no reason to give trains up')
})

for (const gro of [true, false]) {
  check(`trains are cut apart on receipt, with UDP_GRO ${gro ? 'on' : 'off'}`, async (t, wire) => {
    const ring = makeArena()
    const sockets = underlay('127.0.0.4', { gro })
    const port = new UdpPort(ring, sockets)
    t.teardown(() => port.close())
    t.equal(sockets.gro, gro)
    wire.port.setDestination(0, parseIpv4('127.0.0.4'), 4789)
    const seen: number[][] = []
    const receive = (total: number) => until(`${total} datagrams`, () => {
      const count = port.receive()
      const { view, at, length, source, tos } = ring
      for (let i = 0; i < count; i++) {
        seen.push([view.getUint32(at[i]!), length[i]!, source[i]!, tos[i]!])
      }
      return seen.length >= total
    })
    // A lone one first: what the kernel says with it is less than what it says with a train.
    wire.send({ octets: 700 })
    await receive(1)
    wire.send(...[800, 800, 800, 30, 50, 800].map(octets => ({ octets, tos: 2 })), { octets: 9 })
    await receive(8)
    const source = parseIpv4(FROM) | 0
    t.same(seen, [700, 800, 800, 800, 30, 50, 800, 9].map((octets, n) =>
      [n, octets, source, n > 0 && n < 7 ? 2 : 0]))
  })
}
