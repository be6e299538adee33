// What the switch learns from frames: for how long, how much, and over what it never prevails.
import test from 'ava'
import { parseMac } from '../base/text.ts'
import { BROADCAST, ether, payloadOf, type Station, station, udpFrame } from './frames.test-kit.ts'
import { type LabEndpoint, type LabHost, Lab, VNI } from './lab.test-kit.ts'
import { findLearned, forget } from './learned.ts'

const PAYLOAD = payloadOf(20)

/** Datagrams that `host` sends for one frame from `from` to `to`. */
function datagrams(lab: Lab, host: LabHost, from: LabEndpoint, to: Station): number {
  const before = host.count('frames.underlay_out')
  from.send(udpFrame(from, to, PAYLOAD))
  lab.run()
  return host.count('frames.underlay_out') - before
}

function isLearned(host: LabHost, who: Station): boolean {
  const [high, low] = parseMac(who.mac)
  return findLearned(host.plane.learned, VNI, high, low | 0) >= 0
}

test('a MAC is forgotten after 300 seconds of silence and flooded for again', t => {
  const lab = new Lab({ hosts: 3 })
  const [one, two] = [lab.host(0), lab.host(1)]
  const a = one.addEndpoint('10.0.1.2')
  const b = two.addEndpoint('10.0.1.3')
  b.send(udpFrame(b, a, PAYLOAD))
  lab.run()
  t.is(datagrams(lab, one, a, b), 1)
  lab.advance(299_999)
  t.is(datagrams(lab, one, a, b), 1)
  lab.advance(1)
  t.false(isLearned(one, b))
  t.is(one.count('fdb.aged'), 1)
  t.is(datagrams(lab, one, a, b), 2)
})

test('a MAC that speaks now and then is never forgotten', t => {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const b = lab.host(1).addEndpoint('10.0.1.3')
  for (let i = 0; i < 10; i++) {
    b.send(udpFrame(b, a, PAYLOAD))
    lab.run()
    lab.advance(299_000)
    t.true(isLearned(lab.host(0), b))
  }
  t.is(lab.host(0).count('fdb.aged'), 0)
  t.is(lab.host(0).count('fdb.learned'), 1)
})

test('only what is heard keeps a MAC: sending to it does not', t => {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const b = lab.host(1).addEndpoint('10.0.1.3')
  b.send(udpFrame(b, a, PAYLOAD))
  lab.run()
  for (let i = 0; i < 30; i++) {
    lab.advance(10_000)
    a.send(udpFrame(a, b, PAYLOAD))
    lab.run()
  }
  t.false(isLearned(lab.host(0), b))
})

test('what is old goes within a few breaths, however much it is', t => {
  const lab = new Lab({ hosts: 2, learnedMax: 4096, queueMax: 10_000 })
  const gate = lab.host(0).addEndpoint('10.0.1.2', { promiscuous: true })
  for (let n = 0; n < 3000; n++) {
    gate.send(udpFrame(station(`10.1.${n >> 8}.${n & 255}`), station('10.0.1.3'), PAYLOAD))
  }
  lab.run()
  t.is(lab.host(0).learnedCount, 3000)
  t.is(lab.host(1).learnedCount, 3000)
  lab.advance(300_000)
  t.deepEqual(lab.hosts.map(host => host.learnedCount), [3000 - 256, 3000 - 256])
  for (let breaths = 1; breaths < 12; breaths++) lab.advance(0)
  t.deepEqual(lab.hosts.map(host => host.learnedCount), [0, 0])
})

test('a MAC that moves to another VTEP is followed', t => {
  const lab = new Lab({ hosts: 3 })
  const [one, two, three] = [lab.host(0), lab.host(1), lab.host(2)]
  const a = one.addEndpoint('10.0.1.2')
  const roamer = station('10.0.1.50')
  const [here, there] = [two, three].map((host, n) =>
    host.addEndpoint(`10.0.1.${n + 3}`, { promiscuous: true }))
  a.send(ether(BROADCAST, a.mac, 0x88b5, PAYLOAD))
  lab.run()
  there!.takeAll()
  for (const gate of [here!, there!]) {
    gate.send(udpFrame(roamer, a, PAYLOAD))
    lab.run()
    t.is(datagrams(lab, one, a, roamer), 1)
  }
  t.is(one.count('fdb.moved'), 1)
  t.is(there!.takeAll().length, 1)
})

test('the table of a network is bounded, the oldest goes, and a counter tells', t => {
  const lab = new Lab({ vnis: [VNI, VNI + 1], learnedMax: 16 })
  const one = lab.host(0)
  const a = one.addEndpoint('10.0.1.2')
  const gate = lab.host(1).addEndpoint('10.0.1.3', { promiscuous: true })
  const other = lab.host(1).addEndpoint('10.0.1.4', { network: 1, promiscuous: true })
  other.send(udpFrame(station('10.9.9.9'), a, PAYLOAD))
  for (let n = 0; n < 20; n++) gate.send(udpFrame(station(`10.0.2.${n}`), a, PAYLOAD))
  lab.run()
  t.is(one.learnedCount, 17)
  t.is(one.count('fdb.evicted'), 4)
  t.deepEqual([3, 4].map(n => isLearned(one, station(`10.0.2.${n}`))), [false, true])
})

test('a network without room for learning still passes frames', t => {
  const lab = new Lab({ learnedMax: 0 })
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const b = lab.host(1).addEndpoint('10.0.1.3')
  b.send(udpFrame(b, a, PAYLOAD))
  lab.run()
  t.is(a.takeAll().length, 1)
  t.is(lab.host(0).learnedCount, 0)
})

test('a learned entry does not override an endpoint that comes later', t => {
  const lab = new Lab()
  const one = lab.host(0)
  const a = one.addEndpoint('10.0.1.2')
  const gate = lab.host(1).addEndpoint('10.0.1.3', { promiscuous: true })
  gate.send(udpFrame(station('10.0.1.9'), a, PAYLOAD))
  lab.run()
  t.true(isLearned(one, station('10.0.1.9')))
  const late = one.addEndpoint('10.0.1.9')
  t.is(datagrams(lab, one, a, late), 0)
  t.is(late.takeAll().length, 1)
  gate.takeAll()
  // And the impostor is not heard any more.
  gate.send(udpFrame(station('10.0.1.9'), a, PAYLOAD))
  lab.run()
  t.is(one.drops()['source_is_local'], 1)
  t.is(late.takeAll().length, 0)
})

test('an endpoint\'s own MAC is not learned from a promiscuous neighbour', t => {
  const lab = new Lab()
  const one = lab.host(0)
  const a = one.addEndpoint('10.0.1.2')
  const gate = one.addEndpoint('10.0.1.3', { promiscuous: true })
  const b = one.addEndpoint('10.0.1.4')
  gate.send(udpFrame(a, b, PAYLOAD))
  lab.run()
  t.is(one.learnedCount, 0)
  b.send(udpFrame(b, a, PAYLOAD))
  lab.run()
  t.is(a.takeAll().length, 1)
  t.is(gate.takeAll().length, 0)
})

test('a station behind a promiscuous endpoint is reached from here and from there', t => {
  const lab = new Lab()
  const [one, two] = [lab.host(0), lab.host(1)]
  const gate = one.addEndpoint('10.0.1.2', { promiscuous: true })
  const near = one.addEndpoint('10.0.1.3')
  const far = two.addEndpoint('10.0.1.4')
  const guest = station('10.0.1.50')
  gate.send(udpFrame(guest, far, PAYLOAD))
  lab.run()
  t.is(datagrams(lab, one, near, guest), 0)
  t.is(gate.takeAll().length, 1)
  t.is(datagrams(lab, two, far, guest), 1)
  t.is(gate.takeAll().length, 1)
  t.is(near.takeAll().length, 0)
})

test('what was learned from a VTEP that is no member any more is not used', t => {
  const lab = new Lab({ hosts: 3 })
  const [one, two, three] = [lab.host(0), lab.host(1), lab.host(2)]
  const a = one.addEndpoint('10.0.1.2')
  const b = two.addEndpoint('10.0.1.3')
  b.send(udpFrame(b, a, PAYLOAD))
  lab.run()
  one.rows.members = one.rows.members.filter(member => member.address !== two.address)
  one.adopt()
  const before = three.count('frames.underlay_in')
  t.is(datagrams(lab, one, a, b), 1)
  t.is(three.count('frames.underlay_in') - before, 1)
  t.is(b.takeAll().length, 0)
})

test('what was learned from a port that is gone is flooded for again once forgotten', t => {
  const lab = new Lab()
  const one = lab.host(0)
  const gate = one.addEndpoint('10.0.1.2', { promiscuous: true })
  const near = one.addEndpoint('10.0.1.3')
  const guest = station('10.0.1.50')
  gate.send(udpFrame(guest, near, PAYLOAD))
  lab.run()
  one.plane.ports[gate.slot] = undefined
  one.rows.ports = one.rows.ports.filter(row => row.slot !== gate.slot)
  one.adopt()
  forget(one.plane.learned, VNI, gate.slot)
  t.is(datagrams(lab, one, near, guest), 1)
  t.deepEqual(one.drops(), {})
})
