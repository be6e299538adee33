// Three hosts over wires that lose and reorder: what arrives is what was sent, nothing twice, flows
// in order where the wire keeps it, and every frame is accounted for.
import test from 'ava'
import { makeRandom, pick } from '../base/prng.ts'
import type { WireFaults } from '../kernel/memory-queue.ts'
import { BROADCAST, ether, payloadOf, udpFrame, viewOf } from './frames.test-kit.ts'
import { type LabEndpoint, type LabHost, Lab } from './lab.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 1)
const FLOWS = 8

function faults(over: Partial<WireFaults> = {}): WireFaults {
  return { random: makeRandom(SEED), lossPercent: 5, reorderPercent: 10, keepsFlows: true, ...over }
}

/** Three hosts with two endpoints each that know each other, as nothing is lost until they do. */
function acquainted(wire: WireFaults, queueMax = 4096): { lab: Lab; ends: LabEndpoint[] } {
  const { lossPercent } = wire
  wire.lossPercent = 0
  const lab = new Lab({ hosts: 3, faults: wire, queueMax })
  const ends = lab.hosts.flatMap((host, n) => [2, 3].map(last =>
    host.addEndpoint(`10.0.1.${n * 10 + last}`)))
  for (const end of ends) end.send(ether(BROADCAST, end.mac, 0x88b5, payloadOf(46)))
  lab.run()
  for (const end of ends) end.takeAll()
  wire.lossPercent = lossPercent
  return { lab, ends }
}

/** Octets as text, which is quicker than hex, and equal if and only if they are. */
function keyOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString('latin1')
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** A frame whose payload says its number in its flow. */
function numbered(from: LabEndpoint, to: LabEndpoint, flow: number, number: number): Uint8Array {
  const payload = payloadOf(40 + ((number * 13) % 1300), number)
  viewOf(payload).setUint32(0, number)
  return udpFrame(from, to, payload, { sourcePort: 1000 + flow })
}

type Sent = { to: LabEndpoint; flow: string; number: number }

/** Random unicast among `ends`, each frame different. */
function exchange(lab: Lab, ends: LabEndpoint[], frames: number) {
  const random = makeRandom(SEED)
  const sent = new Map<string, Sent>()
  const arrived: { at: LabEndpoint; key: string }[] = []
  const collect = () => {
    lab.run()
    for (const at of ends) {
      for (const octets of at.takeAll()) arrived.push({ at, key: keyOf(octets) })
    }
  }
  for (let number = 0; number < frames; number++) {
    const from = ends[pick(random, ends.length)]!
    const to = ends[(ends.indexOf(from) + 1 + pick(random, ends.length - 1)) % ends.length]!
    const flow = pick(random, FLOWS)
    const frame = numbered(from, to, flow, number)
    sent.set(keyOf(frame), { to, flow: `${from.address} ${to.address} ${flow}`, number })
    from.send(frame)
    if (number % 32 === 31) lab.run()
    if (number % 256 === 255) collect()
  }
  collect()
  return { sent, arrived }
}

test('what arrives is what was sent, at its receiver, once, and each flow in order', t => {
  const { lab, ends } = acquainted(faults())
  const { sent, arrived } = exchange(lab, ends, 8000)
  const last = new Map<string, number>()
  const seen = new Set<string>()
  for (const { at, key } of arrived) {
    const one = sent.get(key)
    if (one === undefined || one.to !== at || seen.has(key)) {
      const hex = Buffer.from(key, 'latin1').toString('hex')
      return t.fail(`TAPMESH_SEED=${SEED}: changed, elsewhere or twice: ${hex}`)
    }
    seen.add(key)
    if (one.number < (last.get(one.flow) ?? -1)) {
      return t.fail(`TAPMESH_SEED=${SEED}: out of order in flow ${one.flow}`)
    }
    last.set(one.flow, one.number)
  }
  const lost = sum(lab.hosts.map(host => host.underlay.inbound.lost))
  const reordered = sum(lab.hosts.map(host => host.underlay.inbound.reordered))
  t.is(arrived.length, sent.size - lost)
  t.true(lost > 200, `${lost} lost`)
  t.true(reordered > 200, `${reordered} reordered`)
})

test('on a wire that reorders flows, nothing is lost or doubled for that', t => {
  const { lab, ends } = acquainted(faults({ lossPercent: 0, keepsFlows: false }))
  const { sent, arrived } = exchange(lab, ends, 4000)
  t.deepEqual(arrived.map(({ key }) => key).sort(), [...sent.keys()].sort())
})

test('a frame that is sent twice arrives twice', t => {
  const { lab, ends } = acquainted(faults({ lossPercent: 0 }))
  const frame = udpFrame(ends[0]!, ends[2]!, payloadOf(9))
  ends[0]!.send(frame, frame)
  lab.run()
  t.deepEqual(ends[2]!.takeAll().map(keyOf), [keyOf(frame), keyOf(frame)])
})

/** What came in, what went out, and what was dropped at one host so far. */
function account(host: LabHost): { comeIn: number; goneOut: number; flooded: number } {
  return {
    comeIn: host.count('frames.tap_in') + host.count('frames.underlay_in'),
    goneOut: host.count('frames.tap_out') + host.count('frames.underlay_out')
      + sum(Object.values(host.drops())),
    flooded: host.count('frames.flooded'),
  }
}

test('unicast is accounted for: in = out + drops, at every host and on the wire', t => {
  const { lab, ends } = acquainted(faults(), 64)
  const before = lab.hosts.map(account)
  exchange(lab, ends, 6000)
  // Besides good frames: from strange addresses, to oneself, and not even a frame.
  const [a, b] = [ends[0]!, ends[2]!]
  for (let n = 0; n < 50; n++) {
    a.send(udpFrame({ mac: a.mac, address: '10.0.1.99' }, b, payloadOf(9)),
      udpFrame(a, a, payloadOf(9)), payloadOf(n % 14))
    lab.run()
  }
  lab.hosts.forEach((host, n) => {
    const [then, now] = [before[n]!, account(host)]
    t.is(now.flooded, then.flooded)
    t.true(now.comeIn - then.comeIn > 1000)
    t.is(now.comeIn - then.comeIn, now.goneOut - then.goneOut, `TAPMESH_SEED=${SEED} host ${n}`)
  })
  t.like(lab.host(0).drops(), { malformed: 50, spoofed_address: 50, to_itself: 50 })
  const wires = lab.hosts.map(host => host.underlay.inbound)
  t.is(sum(lab.hosts.map(host => host.count('frames.underlay_out'))),
    sum(lab.hosts.map(host => host.count('frames.underlay_in')))
    + sum(wires.map(wire => wire.lost + wire.overflowed)))
})

test('octets are counted as frames have them, without headers of the tunnel', t => {
  const { lab, ends } = acquainted(faults({ lossPercent: 0 }))
  const names = ['octets.tap_in', 'octets.underlay_out', 'octets.underlay_in',
    'octets.tap_out'] as const
  const read = () => names.map(name => lab.host(name.endsWith('tap_in')
    || name.endsWith('underlay_out') ? 0 : 1).count(name))
  const before = read()
  ends[0]!.send(udpFrame(ends[0]!, ends[2]!, payloadOf(1000)),
    udpFrame(ends[0]!, ends[2]!, payloadOf(10)))
  lab.run()
  t.deepEqual(read().map((value, n) => value - before[n]!), names.map(() => 1042 + 52))
})
