// Frames for a virtual address and from its backends, changed at random, while services change and
// time passes: the switch never throws, its flows stay countable, and it lets nothing out that
// another node would refuse. A failing run is repeated with TAPMESH_SEED.
import test from 'ava'
import { makeRandom, pick, type Random32 } from '../base/prng.ts'
import { hexOf } from '../wire/vectors.test-kit.ts'
import {
  BACKENDS_MAX, FLOW_NEWER, FLOW_SHIFT, PHASES, SHARD_OLDEST, SHARD_SIZE,
} from './flow-memory.ts'
import type { Flows } from './flow-table.ts'
import { echo, ether, ipv4, payloadOf, udp, type Station } from './frames.test-kit.ts'
import type { Scheduler } from './image-rows.ts'
import {
  ACK, type Backend, datagram, FIN, GATEWAY, icmpFrame, RST, serviceLab, serviceRow, SYN, tcpFrame,
  used, VIP,
} from './services.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const FRAMES = 40_000
const BATCH = 20
const SCHEDULERS: Scheduler[] = ['rr', 'wrr', 'lc', 'sh', 'maglev']
const BACKENDS: Backend[] = [{ id: 1, address: '10.0.1.2' }, { id: 2, address: '10.0.1.3' },
  { id: 3, address: '10.0.1.9' }, { id: 4, address: '10.0.1.10' }, { id: 5, address: '10.0.1.77' }]
const VXLAN = [8, 0, 0, 0, 0, 0x10, 1, 0]

function anyFrame(random: Random32, from: Station, to: Station): Uint8Array {
  const ports = [1 + pick(random, 40), 80] as const
  const turned: readonly [number, number] = pick(random, 2) === 0 ? ports : [ports[1], ports[0]]
  const payload = payloadOf(pick(random, 100))
  const flags = [SYN, SYN | ACK, ACK, ACK, FIN | ACK, RST][pick(random, 6)]!
  const words = { source: from.address, destination: to.address, protocol: 17,
    id: pick(random, 4), fragment: [0x2000, 0x2001, 1, 20][pick(random, 4)]! }
  switch (pick(random, 8)) {
    case 0: case 1: case 2: return tcpFrame(from, to, turned, flags, payload)
    case 3: return datagram(from, to, turned, payload)
    case 4: return ether(to.mac, from.mac, 0x0800, ipv4(words, udp(...turned, payload)))
    case 5: return icmpFrame(from, to, echo(8, 1, payload))
    case 6: return icmpFrame(from, to, Uint8Array.of(3, pick(random, 5), 0, 0, 0, 0, 0, 0,
      ...tcpFrame(to, from, turned, flags).subarray(14, 14 + 8 + pick(random, 40))))
    default: return icmpFrame(from, to, Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0,
      ...datagram(to, from, turned, payload).subarray(14)))
  }
}

function changed(random: Random32, frame: Uint8Array): Uint8Array {
  if (pick(random, 3) > 0) return frame
  const octets = frame.slice(0, pick(random, 10) === 0 ? pick(random, frame.length + 1) : undefined)
  for (let n = pick(random, 3); n >= 0 && octets.length > 0; n--) {
    octets[12 + pick(random, Math.max(1, octets.length - 12))] = random() & 0xff
  }
  return octets
}

/** What is wrong with the table, or ''. */
function faultOfFlows({ own }: Flows): string {
  let listed = 0
  for (let phase = 0; phase < PHASES; phase++) {
    let size = 0
    for (let row = own.head[SHARD_OLDEST + phase]!; row !== 0 && size <= own.capacity;
      row = own.rows[(row << FLOW_SHIFT) + FLOW_NEWER]!) size += 1
    if (size !== own.head[SHARD_SIZE + phase]) return `list of phase ${phase}`
    listed += size
  }
  let counted = 0
  for (let id = 0; id < BACKENDS_MAX; id++) {
    if (own.active[id]! < 0 || own.inactive[id]! < 0) return `less than no flows of ${id}`
    counted += own.active[id]! + own.inactive[id]!
  }
  return listed === own.head[0] && counted === listed ? '' : `${listed}, counted ${counted}`
}

test('40,000 changed frames for virtual addresses', t => {
  const random = makeRandom(SEED)
  const { lab, one, two, client, here, there, beyond, serve } = serviceLab(BACKENDS)
  const stations: Station[] = [client, here, there, beyond]
  for (let done = 0; done < FRAMES; done += BATCH) {
    for (let n = 0; n < BATCH; n++) {
      const from = stations[pick(random, 4)]!
      const to = pick(random, 3) === 0 ? stations[pick(random, 4)]!
        : pick(random, 8) === 0 ? GATEWAY : VIP
      const frame = changed(random, anyFrame(random, from, to))
      if (from === there || from === beyond) {
        const answer = changed(random, anyFrame(random, from, stations[pick(random, 2)]!))
        one.receive(Uint8Array.of(...VXLAN, ...answer), two.address)
      } else if (from === client) client.send(frame)
      else here.send(frame)
    }
    lab.run()
    if (done % 400 === 0) {
      const service = serviceRow(BACKENDS.filter(() => pick(random, 3) > 0)
        .map(backend => ({ ...backend, weight: pick(random, 4) })), SCHEDULERS[pick(random, 5)])
      serve(...pick(random, 10) === 0 ? [] : [service])
    }
    if (done % 1000 === 0) lab.advance(pick(random, 150) * 1000)
    const fault = faultOfFlows(one.plane.flows)
    if (fault !== '') return t.fail(`TAPMESH_SEED=${SEED} near ${done}: ${fault}`)
    for (const end of [client, here]) {
      for (const octets of end.takeAll()) {
        if (octets.length < 14) return t.fail(`TAPMESH_SEED=${SEED}: ${hexOf(octets)}`)
      }
    }
    for (const end of [there, beyond]) end.takeAll()
  }
  t.true(used(one) > 0)
  const reached = Object.keys({ ...one.drops(), ...one.counts() })
  for (const name of ['vip_no_backend', 'vip_protocol', 'vip_fragment', 'vip_no_flow', 'malformed',
    'flows.made', 'flows.aged', 'flows.unserved', 'flows.reset', 'vip.echoed',
    'vip.unreachable_sent']) t.true(reached.includes(name), name)
  for (const name of ['wrong_vtep', 'unknown_source', 'source_is_local', 'malformed']) {
    t.false(Object.keys(two.drops()).includes(name), name)
  }
})
