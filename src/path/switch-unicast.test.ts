// Frames for one station: to a neighbour, through the tunnel, or nowhere.
import test from 'ava'
import { hexOf, octetsOf } from '../wire/vectors.test-kit.ts'
import { TOKEN_UNDERLAY } from './engine.ts'
import { payloadOf, station, udpFrame } from './frames.test-kit.ts'
import { Lab, VNI } from './lab.test-kit.ts'

test('a neighbour on the same host gets the frame, and nobody else does', t => {
  const lab = new Lab()
  const [one] = lab.hosts
  const [a, b, c] = ['10.0.1.2', '10.0.1.3', '10.0.1.4'].map(ip => one!.addEndpoint(ip))
  const frame = udpFrame(a!, b!, payloadOf(100))
  a!.send(frame)
  lab.run()
  t.deepEqual(b!.takeAll().map(hexOf), [hexOf(frame)])
  t.deepEqual(c!.takeAll(), [])
  t.deepEqual(a!.takeAll(), [])
  t.is(one!.count('frames.underlay_out'), 0)
  t.deepEqual(one!.drops(), {})
})

test('an unknown neighbour is flooded for once, and the answer teaches the way', t => {
  const lab = new Lab({ hosts: 3 })
  const [one, two, three] = lab.hosts
  const a = one!.addEndpoint('10.0.1.2')
  const b = two!.addEndpoint('10.0.1.3')
  const c = three!.addEndpoint('10.0.1.4')
  a.send(udpFrame(a, b, payloadOf(10)))
  lab.run()
  t.is(one!.count('frames.underlay_out'), 2)
  t.is(b.takeAll().length, 1)
  // Host three has no use for it.
  t.deepEqual(three!.drops(), { unknown_mac: 1 })
  t.deepEqual(c.takeAll(), [])
  b.send(udpFrame(b, a, payloadOf(10)))
  lab.run()
  t.is(two!.count('frames.underlay_out'), 1)
  t.is(a.takeAll().length, 1)
  a.send(udpFrame(a, b, payloadOf(20)))
  lab.run()
  t.is(one!.count('frames.underlay_out'), 3)
  t.deepEqual(three!.drops(), { unknown_mac: 1 })
  t.is(b.takeAll().length, 1)
})

test('on the wire stand the VNI, no reserved bits, and the frame unchanged', t => {
  const lab = new Lab({ vnis: [0xabcdef] })
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const frame = udpFrame(a, station('10.0.1.3'), payloadOf(64))
  a.send(frame)
  const wire = lab.host(1).underlay.inbound
  lab.host(1).waiter.makeUnwatched(TOKEN_UNDERLAY)
  lab.run()
  const datagram = wire.shift()!
  t.is(hexOf(datagram.octets), `08000000abcdef00${hexOf(frame)}`)
  t.is(datagram.source, lab.host(0).address | 0)
})

const PASSES: [name: string, hex: string][] = [
  ['VLAN-tagged IPv4', '8100000a0800'],
  ['twice tagged', '88a800648100000786dd'],
  ['three tags', '88a80064810000078100000886dd'],
  ['LLDP', '88cc0207'],
  ['MPLS', '884700010140'],
  ['PPPoE', '886411000001'],
  ['an 802.3 length field', '0026424203'],
  ['no EtherType that anybody knows', 'ffff'],
]
for (const [name, hex] of PASSES) {
  test(`a promiscuous endpoint's frame passes byte-identical: ${name}`, t => {
    const lab = new Lab()
    const a = lab.host(0).addEndpoint('10.0.1.2', { promiscuous: true })
    const b = lab.host(1).addEndpoint('10.0.1.3')
    const frame = octetsOf(`02420a00010302420a000102${hex}${hexOf(payloadOf(50))}`)
    a.send(frame)
    lab.run()
    t.deepEqual(b.takeAll().map(hexOf), [hexOf(frame)])
  })
}

const CHECKED: [name: string, tags: number[]][] = [
  ['without a tag', []],
  ['in a VLAN', [0x8100000a]],
  ['in a VLAN of a service VLAN', [0x88a80064, 0x81006007]],
]
for (const [name, tags] of CHECKED) {
  test(`an ordinary endpoint's own IPv4 passes byte-identical: ${name}`, t => {
    const lab = new Lab()
    const a = lab.host(0).addEndpoint('10.0.1.2')
    const b = lab.host(1).addEndpoint('10.0.1.3')
    const frame = udpFrame(a, b, payloadOf(333), { tags })
    a.send(frame)
    lab.run()
    t.deepEqual(b.takeAll().map(hexOf), [hexOf(frame)])
    t.deepEqual(lab.host(0).drops(), {})
  })
}

test('the shortest frame and the longest pass', t => {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint('10.0.1.2', { promiscuous: true })
  const b = lab.host(1).addEndpoint('10.0.1.3')
  const short = octetsOf('02420a00010302420a000102ffff')
  const long = udpFrame(a, b, payloadOf(1450 - 28))
  t.is(long.length, 1464)
  a.send(short, long)
  lab.run()
  t.deepEqual(b.takeAll().map(hexOf), [short, long].map(hexOf))
})

test('what an endpoint sends to itself is dropped and counted', t => {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint('10.0.1.2')
  a.send(udpFrame(a, a, payloadOf(1)))
  lab.run()
  t.deepEqual(lab.host(0).drops(), { to_itself: 1 })
  t.deepEqual(a.takeAll(), [])
})

test('two stations behind one promiscuous endpoint do not meet in the switch', t => {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint('10.0.1.2', { promiscuous: true })
  const [x, y] = [station('10.0.1.50'), station('10.0.1.51')]
  a.send(udpFrame(x, a, payloadOf(1)), udpFrame(y, x, payloadOf(1)))
  lab.run()
  t.deepEqual(lab.host(0).drops(), { to_itself: 2 })
})

test('without another port or VTEP a frame has nowhere to go', t => {
  const lab = new Lab({ hosts: 1 })
  const a = lab.host(0).addEndpoint('10.0.1.2')
  a.send(udpFrame(a, station('10.0.1.3'), payloadOf(1)))
  lab.run()
  t.deepEqual(lab.host(0).drops(), { no_vtep: 1 })
})

test('a host that the table calls a VTEP but nobody has is counted as unreachable', t => {
  const lab = new Lab({ hosts: 1 })
  const a = lab.host(0).addEndpoint('10.0.1.2')
  lab.host(0).addMember(0x0a090909)
  a.send(udpFrame(a, station('10.0.1.3'), payloadOf(1)))
  lab.run()
  t.deepEqual(lab.host(0).drops(), { underlay_unreachable: 1 })
  t.is(lab.host(0).count('frames.underlay_out'), 0)
})

test('two networks with the same addresses know nothing of each other', t => {
  const lab = new Lab({ hosts: 2, vnis: [VNI, VNI + 1] })
  const [one, two] = lab.hosts
  const red = [one!.addEndpoint('10.0.1.2'), two!.addEndpoint('10.0.1.3')]
  const blue = [1, 1].map((network, n) =>
    lab.host(n).addEndpoint(n === 0 ? '10.0.1.2' : '10.0.1.3', { network }))
  for (const [pair, start] of [[red, 0], [blue, 100]] as const) {
    pair[0]!.send(udpFrame(pair[0]!, pair[1]!, payloadOf(40, start)))
    lab.run()
    pair[1]!.send(udpFrame(pair[1]!, pair[0]!, payloadOf(41, start)))
    lab.run()
  }
  for (const [pair, start] of [[red, 0], [blue, 100]] as const) {
    t.deepEqual(pair[1]!.takeAll().map(hexOf),
      [hexOf(udpFrame(pair[0]!, pair[1]!, payloadOf(40, start)))])
    t.deepEqual(pair[0]!.takeAll().map(hexOf),
      [hexOf(udpFrame(pair[1]!, pair[0]!, payloadOf(41, start)))])
  }
  t.is(one!.learnedCount, 2)
  t.deepEqual([one!.drops(), two!.drops()], [{}, {}])
})

test('the same MAC at two VTEPs of two networks is two entries', t => {
  const lab = new Lab({ hosts: 3, vnis: [VNI, VNI + 1] })
  const a = [0, 1].map(network => lab.host(0).addEndpoint('10.0.1.2', { network }))
  const b = [0, 1].map(network => lab.host(1 + network).addEndpoint('10.0.1.3', { network }))
  for (const n of [0, 1]) b[n]!.send(udpFrame(b[n]!, a[n]!, payloadOf(9)))
  lab.run()
  const before = lab.host(0).count('frames.underlay_out')
  for (const n of [0, 1]) a[n]!.send(udpFrame(a[n]!, b[n]!, payloadOf(9, n)))
  lab.run()
  t.is(lab.host(0).count('frames.underlay_out') - before, 2)
  t.deepEqual(b.map(end => end.takeAll().length), [1, 1])
})
