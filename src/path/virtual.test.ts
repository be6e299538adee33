// A virtual address: who gets what, as whom, and what it answers itself.
import test from 'ava'
import { parseIpv4 } from '../base/text.ts'
import { breathe } from './engine.ts'
import { makeFlowMemory } from './flow-memory.ts'
import {
  arpFrame, arpRequest, echo, ether, ipv4, NO_MAC, payloadOf, type Station, station, udp, viewOf,
  withChecksum,
} from './frames.test-kit.ts'
import { Lab, LabHost } from './lab.test-kit.ts'
import {
  ACK, answer, connect, datagram, endsOf, FIN, GATEWAY, got, icmpFrame, RST, serviceLab,
  serviceRow, SYN, tcpFrame, used, VIP,
} from './services.test-kit.ts'
import { faultOf } from './offload.test-kit.ts'

const PAYLOAD = payloadOf(100)
const PORTS = [5000, 80] as const

test('a client sees the virtual address, a backend the client', t => {
  const { lab, client, there, one, two } = serviceLab()
  client.send(tcpFrame(client, VIP, PORTS, SYN))
  lab.run()
  const [syn] = there.takeAll()
  t.is(endsOf(syn!), '10.0.1.2:5000 > 10.0.1.9:80')
  t.is(faultOf(syn!), '')
  answer(there, syn!, SYN | ACK)
  lab.run()
  const [synAck] = client.takeAll()
  t.is(endsOf(synAck!), '10.0.1.100:80 > 10.0.1.2:5000')
  t.is(faultOf(synAck!), '')
  t.deepEqual([one.drops(), two.drops()], [{}, {}])
  t.is(used(two), 0, 'the node of the backend keeps nothing')
})

test('the same on one host', t => {
  const { lab, client, here } = serviceLab([{ id: 0, address: '10.0.1.3' }])
  client.send(datagram(client, VIP, [6000, 53], PAYLOAD))
  lab.run()
  const [asked] = here.takeAll()
  t.is(endsOf(asked!), '10.0.1.2:6000 > 10.0.1.3:53')
  t.is(faultOf(asked!), '')
  here.send(datagram(here, client, [53, 6000], PAYLOAD))
  lab.run()
  const [answered] = client.takeAll()
  t.is(endsOf(answered!), '10.0.1.100:53 > 10.0.1.2:6000')
  t.is(faultOf(answered!), '')
})

test('a task that meets itself sees the gateway', t => {
  const { lab, here } = serviceLab([{ id: 0, address: '10.0.1.3' }])
  here.send(tcpFrame(here, VIP, PORTS, SYN))
  lab.run()
  const [syn] = here.takeAll()
  t.is(endsOf(syn!), '10.0.1.1:5000 > 10.0.1.3:80')
  t.is(faultOf(syn!), '')
  here.send(arpRequest(here, GATEWAY.address))
  answer(here, syn!, SYN | ACK)
  lab.run()
  const [, synAck] = here.takeAll()
  t.is(endsOf(synAck!), '10.0.1.100:80 > 10.0.1.3:5000')
  t.is(faultOf(synAck!), '')
  here.send(tcpFrame(here, GATEWAY, [81, 5000], ACK))
  lab.run()
  t.deepEqual(here.takeAll(), [], 'nobody asked for that')
})

test('connections to tasks themselves are left alone', t => {
  const { lab, client, here, there } = serviceLab([
    { id: 0, address: '10.0.1.3' }, { id: 1, address: '10.0.1.9' }])
  for (const end of [here, there]) {
    client.send(tcpFrame(client, end, PORTS, SYN))
    lab.run()
    t.deepEqual(got(end), [`10.0.1.2:5000 > ${end.address}:80`])
    end.send(tcpFrame(end, client, [80, 5000], SYN | ACK))
    lab.run()
    t.deepEqual(got(client), [`${end.address}:80 > 10.0.1.2:5000`])
  }
})

test('a task called by itself from a port whose connection is over', t => {
  const { lab, client, there, one } = serviceLab()
  t.is(connect(lab, client, [there], 5000), there)
  client.send(tcpFrame(client, VIP, PORTS, FIN | ACK))
  lab.run()
  there.send(tcpFrame(there, client, [80, 5000], FIN | ACK))
  lab.run()
  client.takeAll()
  client.send(tcpFrame(client, there, PORTS, SYN))
  there.send(tcpFrame(there, client, [80, 5000], SYN | ACK))
  lab.run()
  t.deepEqual(got(client), ['10.0.1.9:80 > 10.0.1.2:5000'])
  t.is(used(one), 0)
})

test('3,000 connections over three tasks are even', t => {
  const { lab, client, here, there, beyond } = serviceLab([{ id: 0, address: '10.0.1.3' },
    { id: 1, address: '10.0.1.9' }, { id: 2, address: '10.0.1.10' }])
  const ends = [here, there, beyond]
  const counts = ends.map(() => 0)
  for (let port = 10_000; port < 13_000; port++) {
    client.send(tcpFrame(client, VIP, [port, 80], SYN))
    if (port % 100 === 99) lab.run()
    ends.forEach((end, n) => (counts[n]! += end.takeAll().length))
  }
  t.deepEqual(counts, [1000, 1000, 1000])
})

test('its MAC is told by ARP, to who asks all and to who asks it', t => {
  const { lab, client } = serviceLab()
  client.send(arpRequest(client, VIP.address))
  client.send(arpFrame(VIP.mac, client.mac, 1, client, { mac: NO_MAC, address: VIP.address }))
  client.send(arpRequest(client, GATEWAY.address))
  lab.run()
  const answers = client.takeAll()
  t.deepEqual(answers.map(frame => Buffer.from(frame.subarray(22, 32)).toString('hex')),
    ['02420a0001640a000164', '02420a0001640a000164', '02420a0001010a000101'])
})

test('nobody else may have its MAC or address', t => {
  const { lab, one, two, client, there } = serviceLab()
  client.send(datagram({ ...client, address: VIP.address }, there, PORTS))
  client.send(datagram({ ...client, mac: VIP.mac }, there, PORTS))
  const header = [8, 0, 0, 0, 0, 0x10, 1, 0]
  one.receive(Uint8Array.of(...header, ...datagram(VIP, client, PORTS)), two.address)
  lab.run()
  t.deepEqual(one.drops(), { spoofed_address: 1, spoofed_mac: 1, wrong_vtep: 1 })
})

test('an echo is answered while a backend takes connections', t => {
  const { lab, client, serve, one } = serviceLab()
  const ping = icmpFrame(client, VIP, echo(8, 1, PAYLOAD))
  client.send(ping)
  client.send(icmpFrame(client, GATEWAY, echo(8, 2, PAYLOAD)))
  lab.run()
  t.deepEqual(client.takeAll(), [icmpFrame(VIP, client, echo(0, 1, PAYLOAD)),
    icmpFrame(GATEWAY, client, echo(0, 2, PAYLOAD))])
  serve(serviceRow([{ id: 0, address: '10.0.1.9', weight: 0 }]))
  client.send(ping)
  client.send(tcpFrame(client, VIP, PORTS, SYN))
  lab.run()
  const answers = client.takeAll()
  t.deepEqual(answers.map(frame => [...frame.subarray(34, 36)]), [[3, 1], [3, 1]])
  for (const frame of answers) t.is(faultOf(frame), '')
  t.deepEqual(one.drops(), { vip_no_backend: 2 })
  t.is(one.count('vip.unreachable_sent'), 2)
})

test('a long echo comes back in its parts', t => {
  const { lab, client } = serviceLab()
  const words = { source: client.address, destination: VIP.address, protocol: 1, id: 9 }
  const message = echo(8, 1, payloadOf(2000))
  client.send(ether(VIP.mac, client.mac, 0x0800,
    ipv4({ ...words, fragment: 0x2000 }, message.subarray(0, 1400))))
  client.send(ether(VIP.mac, client.mac, 0x0800,
    ipv4({ ...words, fragment: 1400 / 8 }, message.subarray(1400))))
  lab.run()
  const parts = client.takeAll().map(frame => frame.subarray(34))
  t.deepEqual(Buffer.concat(parts), Buffer.from(echo(0, 1, payloadOf(2000))))
})

test('what is in no table is reset, and a reset is not', t => {
  const { lab, client, one } = serviceLab()
  client.send(tcpFrame(client, VIP, PORTS, ACK, PAYLOAD, 77, 4711))
  client.send(tcpFrame(client, VIP, PORTS, FIN | SYN | ACK, PAYLOAD, 77, 4711))
  client.send(tcpFrame(client, VIP, PORTS, RST, PAYLOAD, 77, 4711))
  client.send(tcpFrame(client, VIP, PORTS, FIN, PAYLOAD, 77, 4711))
  lab.run()
  const answers = client.takeAll()
  t.deepEqual(answers.map(frame => [viewOf(frame).getInt32(38), viewOf(frame).getInt32(42),
    frame[47]]), [[4711, 0, RST], [4711, 0, RST], [0, 178, RST | ACK]])
  for (const frame of answers) {
    t.is(endsOf(frame), '10.0.1.100:80 > 10.0.1.2:5000')
    t.is(faultOf(frame), '')
  }
  t.deepEqual(one.drops(), { vip_no_flow: 4 })
})

test('by maglev the middle of a connection goes on where it was', t => {
  const backends = [{ id: 0, address: '10.0.1.9' }, { id: 1, address: '10.0.1.10' }]
  const { lab, client, there, beyond } = serviceLab(backends, 'maglev')
  const again = serviceLab(backends, 'maglev') // as after a new start: nothing is known there
  for (let port = 5000; port < 5050; port++) {
    const end = connect(lab, client, [there, beyond], port)
    again.client.send(tcpFrame(client, VIP, [port, 80], ACK, PAYLOAD))
    again.lab.run()
    const other = end === there ? again.there : again.beyond
    t.deepEqual(got(other), [`10.0.1.2:${port} > ${other.address}:80`])
  }
})

test('a connection that was idle for twenty minutes goes on', t => {
  const { lab, one, client, there } = serviceLab()
  connect(lab, client, [there], 5000)
  for (let minute = 0; minute < 20; minute++) lab.advance(60_000)
  client.send(tcpFrame(client, VIP, PORTS, ACK, PAYLOAD))
  lab.run()
  const [frame] = there.takeAll()
  t.is(endsOf(frame!), '10.0.1.2:5000 > 10.0.1.9:80')
  for (let minute = 0; minute < 20; minute++) lab.advance(60_000)
  answer(there, frame!, ACK)
  lab.run()
  t.deepEqual(got(client), ['10.0.1.100:80 > 10.0.1.2:5000'])
  t.deepEqual(one.drops(), {})
})

test('a draining backend keeps what it has, and one that is gone has nothing', t => {
  const { lab, one, client, there, beyond, serve } = serviceLab()
  const draining = { id: 0, address: '10.0.1.9', weight: 0 }
  const taking = { id: 1, address: '10.0.1.10' }
  connect(lab, client, [there], 5000)
  serve(serviceRow([draining, taking]))
  client.send(tcpFrame(client, VIP, PORTS, ACK, PAYLOAD))
  client.send(tcpFrame(client, VIP, [5001, 80], SYN))
  client.send(datagram(client, VIP, [5001, 53]))
  lab.run()
  t.deepEqual([got(there).length, got(beyond).length], [1, 2])
  serve(serviceRow([taking]))
  lab.run()
  lab.advance(0) // one breath, in which rows are looked through
  t.is(used(one), 2)
  t.is(one.count('flows.unserved'), 1)
  client.send(tcpFrame(client, VIP, PORTS, ACK, PAYLOAD))
  lab.run()
  t.is(client.takeAll()[0]![47], RST)
})

test('a datagram from a port that never changes leaves a dead backend at once', t => {
  const { lab, client, there, beyond, serve } = serviceLab()
  client.send(datagram(client, VIP, [5001, 53]))
  lab.run()
  t.is(there.takeAll().length, 1)
  serve(serviceRow([{ id: 1, address: '10.0.1.10' }]))
  client.send(datagram(client, VIP, [5001, 53]))
  lab.run()
  t.deepEqual(got(beyond), ['10.0.1.2:5001 > 10.0.1.10:53'])
})

test('an id that another backend has now is not the old one', t => {
  const { lab, client, beyond, serve } = serviceLab()
  client.send(datagram(client, VIP, [5001, 53]))
  lab.run()
  serve(serviceRow([{ id: 0, address: '10.0.1.10' }]))
  client.send(datagram(client, VIP, [5001, 53]))
  lab.run()
  t.is(got(beyond).length, 1)
})

test('parts of a datagram stay together, both ways', t => {
  const { lab, one, client, there, beyond } = serviceLab([
    { id: 0, address: '10.0.1.9' }, { id: 1, address: '10.0.1.10' }])
  const parts = (from: Station, to: Station, ports: readonly [number, number], id: number) => {
    const words = { source: from.address, destination: to.address, protocol: 17, id }
    const whole = withChecksum(ipv4(words, udp(...ports, payloadOf(2000))), 'right').subarray(20)
    return [ether(to.mac, from.mac, 0x0800, ipv4({ ...words, fragment: 0x2000 },
      whole.subarray(0, 1400))),
    ether(to.mac, from.mac, 0x0800, ipv4({ ...words, fragment: 1400 / 8 }, whole.subarray(1400)))]
  }
  const [first, later] = parts(client, VIP, [5000, 53], 1)
  client.send(later!, first!, later!)
  lab.run()
  t.deepEqual(one.drops(), { vip_fragment: 1 }, 'the one that came too early')
  t.deepEqual(there.takeAll(), parts(client, there, [5000, 53], 1))
  t.deepEqual(beyond.takeAll(), [])
  there.send(...parts(there, client, [53, 5000], 2))
  lab.run()
  const back = client.takeAll()
  const expected = parts(VIP, client, [53, 5000], 2)
  t.deepEqual(back, expected)
})

test('an error about a packet finds its flow, both ways', t => {
  const { lab, client, there, one } = serviceLab()
  client.send(datagram(client, VIP, [5000, 53], PAYLOAD))
  lab.run()
  const [asked] = there.takeAll()
  there.send(icmpFrame(there, client, Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0,
    ...asked!.subarray(14))))
  lab.run()
  t.deepEqual(client.takeAll(), [icmpFrame(VIP, client, Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0,
    ...datagram(client, VIP, [5000, 53], PAYLOAD).subarray(14)))])
  there.send(datagram(there, client, [53, 5000], PAYLOAD))
  lab.run()
  const [answered] = client.takeAll()
  client.send(icmpFrame(client, VIP, Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0,
    ...answered!.subarray(14))))
  lab.run()
  t.deepEqual(there.takeAll(), [icmpFrame(client, there, Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0,
    ...datagram(there, client, [53, 5000], PAYLOAD).subarray(14)))])
  client.send(icmpFrame(client, VIP, Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0,
    ...datagram(VIP, client, [53, 5001], PAYLOAD).subarray(14))))
  lab.run()
  t.deepEqual(one.drops(), { vip_no_flow: 1 })
})

test('of other protocols a virtual address takes nothing', t => {
  const { lab, client, one, there } = serviceLab()
  const words = { source: client.address, destination: VIP.address, protocol: 132 }
  client.send(ether(VIP.mac, client.mac, 0x0800, ipv4(words, PAYLOAD)))
  client.send(ether(VIP.mac, client.mac, 0x0800,
    ipv4({ ...words, protocol: 17, destination: '10.0.1.77' }, udp(1, 2, PAYLOAD))))
  client.send(ether(VIP.mac, client.mac, 0x88b5, PAYLOAD))
  client.send(ether(VIP.mac, client.mac, 0x0800, ipv4({ ...words, protocol: 6 },
    PAYLOAD.subarray(0, 19))))
  client.send(icmpFrame(client, VIP, Uint8Array.of(13, 0, 0, 0, 0, 0, 0, 0)))
  lab.run()
  t.deepEqual(one.drops(), { vip_protocol: 4, malformed: 1 })
  t.is(there.take(), undefined)
})

test('two services with one backend do not mix', t => {
  const other = station('10.0.1.101')
  const { lab, client, there, serve } = serviceLab()
  serve(serviceRow([{ id: 0, address: '10.0.1.9' }]),
    serviceRow([{ id: 1, address: '10.0.1.9' }], 'rr',
      { mark: 257, address: parseIpv4(other.address) }))
  client.send(datagram(client, VIP, [5000, 53]))
  client.send(datagram(client, other, [5000, 53]))
  lab.run()
  // Each takes a way of its own to the other host, and so they may come in any order.
  const ports = there.takeAll().map(frame => viewOf(frame).getUint16(34))
  const port = ports.find(one => one !== 5000)
  t.true(ports.includes(5000) && port !== undefined, 'its port is taken on the way to the backend')
  there.send(datagram(there, client, [53, port!]))
  there.send(datagram(there, client, [53, 5000]))
  lab.run()
  t.deepEqual(got(client).sort(),
    ['10.0.1.100:53 > 10.0.1.2:5000', '10.0.1.101:53 > 10.0.1.2:5000'])
})

test('two workers of a host: each way by another one, and the answer finds its flow', t => {
  const memories = [makeFlowMemory(64), makeFlowMemory(64)]
  const lab = new Lab({ hosts: 0 })
  const workers = memories.map((_, mine) => new LabHost(mine + 1, lab,
    { strict: true, flows: { memories, mine, capacity: 64 } }))
  const ends = workers.map(worker => {
    const client = worker.addEndpoint('10.0.1.2')
    const here = worker.addEndpoint('10.0.1.3')
    worker.rows.services = [serviceRow([{ id: 0, address: '10.0.1.3' }])]
    worker.adopt()
    return { client, here }
  })
  const run = () => workers.forEach(worker => breathe(worker.plane, worker.waiter, 0))
  ends[0]!.client.send(tcpFrame(ends[0]!.client, VIP, PORTS, SYN))
  run()
  t.deepEqual(got(ends[0]!.here), ['10.0.1.2:5000 > 10.0.1.3:80'])
  ends[1]!.here.send(tcpFrame(ends[1]!.here, ends[1]!.client, [80, 5000], SYN | ACK))
  run()
  t.deepEqual(got(ends[1]!.client), ['10.0.1.100:80 > 10.0.1.2:5000'])
  ends[0]!.client.send(tcpFrame(ends[0]!.client, VIP, PORTS, ACK))
  run()
  t.is(workers[0]!.plane.flows.own.active[0], 1)
  // The same client by the other worker: no second flow, and the same backend.
  ends[1]!.client.send(tcpFrame(ends[1]!.client, VIP, PORTS, ACK))
  run()
  t.deepEqual(got(ends[1]!.here), ['10.0.1.2:5000 > 10.0.1.3:80'])
  t.deepEqual(workers.map(used), [1, 0])
  for (const worker of workers) {
    worker.rows.services = []
    worker.adopt()
  }
  run()
  t.deepEqual(workers.map(used), [0, 0])
})
