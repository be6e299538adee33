// Questions for an address of this host are answered by the switch itself; all others go their way.
import test from 'ava'
import { hexOf } from '../wire/vectors.test-kit.ts'
import {
  arpFrame, arpReply, arpRequest, BROADCAST, NO_MAC, station, VLAN_10,
} from './frames.test-kit.ts'
import { Lab, VNI } from './lab.test-kit.ts'

/** a and b on host one, c on host two. */
function threeEndpoints() {
  const lab = new Lab()
  const [one, two] = [lab.host(0), lab.host(1)]
  return {
    lab, one, two, a: one.addEndpoint('10.0.1.2'), b: one.addEndpoint('10.0.1.3'),
    c: two.addEndpoint('10.0.1.4'),
  }
}

test('a question for a neighbour on this host is answered here, and nobody sees it', t => {
  const { lab, one, a, b, c } = threeEndpoints()
  a.send(arpRequest(a, b.address))
  lab.run()
  t.deepEqual(a.takeAll().map(hexOf), [hexOf(arpReply(b, a))])
  t.deepEqual([b.takeAll(), c.takeAll()], [[], []])
  t.is(one.count('arp.answered'), 1)
  t.is(one.count('frames.underlay_out'), 0)
})

test('a question for an endpoint elsewhere is asked there, and only its owner hears it', t => {
  const { lab, one, two, a, b, c } = threeEndpoints()
  const d = two.addEndpoint('10.0.1.5')
  const question = arpRequest(a, c.address)
  a.send(question)
  lab.run()
  t.deepEqual(c.takeAll().map(hexOf), [hexOf(question)])
  t.deepEqual(b.takeAll().map(hexOf), [hexOf(question)])
  t.deepEqual([a.takeAll(), d.takeAll()], [[], []])
  t.is(one.count('arp.answered') + two.count('arp.answered'), 0)
  const answer = arpReply(c, a)
  c.send(answer)
  lab.run()
  t.deepEqual(a.takeAll().map(hexOf), [hexOf(answer)])
  t.is(two.count('frames.flooded'), 0)
})

test('a question that nobody can answer reaches everybody', t => {
  const { lab, a, b, c } = threeEndpoints()
  a.send(arpRequest(a, '10.0.1.99'))
  lab.run()
  t.deepEqual([a, b, c].map(end => end.takeAll().length), [0, 1, 1])
})

test('a probe for a free address is flooded, one for a taken address is answered', t => {
  const { lab, one, a, b, c } = threeEndpoints()
  const probe = (address: string) => arpFrame(BROADCAST, a.mac, 1,
    { mac: a.mac, address: '0.0.0.0' }, { mac: NO_MAC, address })
  a.send(probe(a.address))
  lab.run()
  t.deepEqual([a, b, c].map(end => end.takeAll().length), [0, 1, 1])
  a.send(probe(b.address))
  lab.run()
  t.deepEqual(a.takeAll().map(hexOf), [hexOf(arpFrame(a.mac, b.mac, 2, b,
    { mac: a.mac, address: '0.0.0.0' }))])
  t.deepEqual([b, c].map(end => end.takeAll().length), [0, 0])
  t.is(one.count('arp.answered'), 1)
})

test('gratuitous ARP, as request and as reply, reaches everybody', t => {
  const { lab, one, a, b, c } = threeEndpoints()
  a.send(arpRequest(a, a.address), arpFrame(BROADCAST, a.mac, 2, a, a))
  lab.run()
  t.deepEqual([a, b, c].map(end => end.takeAll().length), [0, 2, 2])
  t.is(one.count('arp.answered'), 0)
})

test('a question to one MAC is not answered for it', t => {
  const { lab, one, a, b } = threeEndpoints()
  const poll = arpFrame(b.mac, a.mac, 1, a, b)
  a.send(poll)
  lab.run()
  t.deepEqual(b.takeAll().map(hexOf), [hexOf(poll)])
  t.deepEqual(a.takeAll(), [])
  t.is(one.count('arp.answered'), 0)
})

test('a question in a VLAN is answered in that VLAN', t => {
  const { lab, a, b } = threeEndpoints()
  a.send(arpRequest(a, b.address, [VLAN_10]))
  lab.run()
  t.deepEqual(a.takeAll().map(hexOf), [hexOf(arpFrame(a.mac, b.mac, 2, b, a, [VLAN_10]))])
})

test('the address of another network is not known here', t => {
  const lab = new Lab({ vnis: [VNI, VNI + 1] })
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const b = lab.host(0).addEndpoint('10.0.1.3', { network: 1 })
  a.send(arpRequest(a, b.address))
  lab.run()
  t.deepEqual([a.takeAll(), b.takeAll()], [[], []])
  t.is(lab.host(0).count('arp.answered'), 0)
})

test('a promiscuous endpoint\'s question for a stranger\'s sake is answered to the asker', t => {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint('10.0.1.2', { promiscuous: true })
  const b = lab.host(0).addEndpoint('10.0.1.3')
  const guest = station('10.0.1.50')
  a.send(arpRequest(guest, b.address))
  lab.run()
  t.deepEqual(a.takeAll().map(hexOf), [hexOf(arpReply(b, guest))])
})

test('a question from the underlay for an address here goes to its owner, who answers', t => {
  const { lab, one, two, a, b, c } = threeEndpoints()
  c.send(arpRequest(c, a.address))
  lab.run()
  t.deepEqual([a.takeAll().length, b.takeAll().length], [1, 0])
  t.is(one.count('arp.answered') + two.count('arp.answered'), 0)
})

test('ARP that is neither question nor answer is flooded as any frame', t => {
  const { lab, a, b, c } = threeEndpoints()
  a.send(arpFrame(BROADCAST, a.mac, 3, a, b))
  lab.run()
  t.deepEqual([a, b, c].map(end => end.takeAll().length), [0, 1, 1])
})
