// Frames for all: to every VTEP and every local port, once each, and never back into the tunnel.
import test from 'ava'
import { makeRandom, pick, type Random32 } from '../base/prng.ts'
import { writeVxlan } from '../wire/vxlan.ts'
import { hexOf, octetsOf } from '../wire/vectors.test-kit.ts'
import { BROADCAST, ether, payloadOf, station, udpFrame, viewOf } from './frames.test-kit.ts'
import { Lab, VNI } from './lab.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 1)

test('a broadcast goes to every VTEP and every other local port, once each', t => {
  const lab = new Lab({ hosts: 4 })
  const [one] = lab.hosts
  const [a, b] = ['10.0.1.2', '10.0.1.3'].map(ip => one!.addEndpoint(ip))
  const remote = [1, 2, 3].flatMap(n => [10, 11].map(last =>
    lab.host(n).addEndpoint(`10.0.1.${n * 20 + last}`)))
  const frame = udpFrame(a!, { mac: BROADCAST, address: '10.0.1.255' }, payloadOf(99))
  a!.send(frame)
  lab.run()
  for (const endpoint of [b!, ...remote]) {
    t.deepEqual(endpoint.takeAll().map(hexOf), [hexOf(frame)], endpoint.address)
  }
  t.deepEqual(a!.takeAll(), [])
  t.is(one!.count('frames.underlay_out'), 3)
  t.is(one!.count('frames.flooded'), 3)
})

const GROUPS = ['01:00:5e:00:00:fb', '33:33:00:00:00:01', '01:80:c2:00:00:0e', BROADCAST]
for (const group of GROUPS) {
  test(`a frame for the group ${group} is flooded`, t => {
    const lab = new Lab()
    const a = lab.host(0).addEndpoint('10.0.1.2')
    const b = lab.host(1).addEndpoint('10.0.1.3')
    const frame = ether(group, a.mac, 0x88b5, payloadOf(46))
    a.send(frame)
    lab.run()
    t.deepEqual(b.takeAll().map(hexOf), [hexOf(frame)])
  })
}

test('a broadcast stays in its network', t => {
  const lab = new Lab({ vnis: [VNI, VNI + 1] })
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const others = [lab.host(0), lab.host(1)].map(host =>
    host.addEndpoint('10.0.1.3', { network: 1 }))
  a.send(ether(BROADCAST, a.mac, 0x88b5, payloadOf(46)))
  lab.run()
  for (const other of others) t.deepEqual(other.takeAll(), [])
  t.is(lab.host(0).count('frames.underlay_out'), 1)
  t.deepEqual(lab.host(1).drops(), { unknown_mac: 1 })
})

test('unknown unicast reaches promiscuous ports and VTEPs, and no ordinary port', t => {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const [b, c] = lab.hosts.map((host, n) => host.addEndpoint(`10.0.1.${n + 3}`))
  const watchers = lab.hosts.map((host, n) =>
    host.addEndpoint(`10.0.1.${n + 9}`, { promiscuous: true }))
  const frame = udpFrame(a, station('10.0.1.77'), payloadOf(5))
  a.send(frame)
  lab.run()
  for (const watcher of watchers) t.deepEqual(watcher.takeAll().map(hexOf), [hexOf(frame)])
  t.deepEqual([b!.takeAll(), c!.takeAll()], [[], []])
})

test('1,000 VTEPs get one datagram each', t => {
  const lab = new Lab({ hosts: 1 })
  const [one] = lab.hosts
  const a = one!.addEndpoint('10.0.1.2')
  const first = 0x0a640000
  one!.rows.members.push(...Array.from({ length: 1000 }, (_, n) =>
    ({ network: 0, address: first + n, port: 4789 })))
  one!.adopt()
  a.send(ether(BROADCAST, a.mac, 0x88b5, payloadOf(46)))
  lab.run()
  t.is(one!.count('frames.flooded'), 1000)
  // Nobody has these addresses, so what was sent comes back as refused, one by one.
  t.deepEqual(one!.drops(), { underlay_unreachable: 1000 })
})

/** A frame of few MACs, so that many are known, with a random inside. */
function randomFrame(random: Random32): Uint8Array {
  const macs = ['0242 0a000102', '0242 0a000103', '0242 0a000109', '0242 0a000177', 'ffff ffffffff',
    '0100 5e0000fb', '0000 00000000']
  const types = ['0800', '0806', '86dd', '8100', '88cc']
  const mac = () => macs[pick(random, macs.length)]!
  const inside = Array.from({ length: pick(random, 60) }, () => random() & 0xff)
  const type = types[pick(random, types.length)]!
  return octetsOf(`${mac()}${mac()}${type}${hexOf(Uint8Array.from(inside))}`)
}

test('what came from the underlay never goes back to it', t => {
  const lab = new Lab({ hosts: 3 })
  const [one, two, three] = lab.hosts
  const ends = [one!.addEndpoint('10.0.1.2'), one!.addEndpoint('10.0.1.9', { promiscuous: true })]
  const random = makeRandom(SEED)
  for (let n = 0; n < 5000; n++) {
    const frame = randomFrame(random)
    const datagram = new Uint8Array(8 + frame.length)
    writeVxlan(viewOf(datagram), 0, VNI)
    datagram.set(frame, 8)
    one!.receive(datagram, pick(random, 2) === 0 ? two!.address : three!.address, pick(random, 4))
    if (n % 100 !== 99) continue
    lab.run()
    for (const end of ends) end.takeAll()
  }
  t.is(one!.count('frames.underlay_in'), 5000)
  t.is(one!.count('frames.underlay_out'), 0, `TAPMESH_SEED=${SEED}`)
  t.is(two!.count('frames.underlay_in') + three!.count('frames.underlay_in'), 0)
  t.true(one!.count('frames.tap_out') > 500)
  t.true(one!.learnedCount > 0)
})

test('a MAC behind one VTEP that another VTEP asks for is not sent on: split horizon', t => {
  const lab = new Lab({ hosts: 3 })
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const b = lab.host(1).addEndpoint('10.0.1.3')
  const c = lab.host(2).addEndpoint('10.0.1.4')
  c.send(udpFrame(c, a, payloadOf(3)))
  lab.run()
  // Host one knows where c is; a frame for it that host two sends here by mistake ends here.
  const frame = udpFrame(b, c, payloadOf(3))
  const datagram = octetsOf(`0800000000100100${hexOf(frame)}`)
  lab.host(0).receive(datagram, lab.host(1).address)
  lab.run()
  t.is(lab.host(0).drops()['unknown_mac'], 1)
  t.is(lab.host(0).count('frames.underlay_out'), 0)
  t.deepEqual(c.takeAll(), [])
})
