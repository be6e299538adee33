// Endpoints of other nodes that the control plane has given: frames go straight there, questions
// for them are answered here, and where all is given nobody is bothered with the unknown.
import test from 'ava'
import { linkLocalWords, macOfAddress, parseIpv4 } from '../base/text.ts'
import { hexOf, octetsOf, vector } from '../wire/vectors.test-kit.ts'
import {
  arpFrame, arpReply, arpRequest, BROADCAST, ether, ipv6, ipv6Frame, NO_MAC, payloadOf, station,
  type Station, udpFrame, viewOf, VLAN_10, type Words4,
} from './frames.test-kit.ts'
import { type EndpointOptions, Lab, type LabEndpoint, type LabOptions } from './lab.test-kit.ts'

const PAYLOAD = payloadOf(50)
const STRANGER = station('10.0.1.99')

/** Endpoints a, b, c on hosts one, two, three, who were told of each other. */
function makeMesh(options: LabOptions = {}, third: EndpointOptions = {}) {
  const lab = new Lab({ hosts: 3, strict: true, ...options })
  const [one, two, three] = [lab.host(0), lab.host(1), lab.host(2)]
  const a = one.addEndpoint('10.0.1.2')
  const b = two.addEndpoint('10.0.1.3')
  const c = three.addEndpoint('10.0.1.4', third)
  lab.share()
  return { lab, one, two, three, a, b, c }
}

/** What each got since it was asked last. */
function received(...ends: LabEndpoint[]): string[][] {
  return ends.map(end => end.takeAll().map(hexOf))
}

function solicitation(from: Station, target: Words4, source: Words4 = linkLocalWords(from.mac),
  tags: number[] = []): Uint8Array {
  const message = new Uint8Array(32)
  const view = viewOf(message)
  view.setUint8(0, 135)
  target.forEach((word, i) => view.setInt32(8 + i * 4, word))
  message.set([1, 1], 24)
  const last = target[3] & 0xffffff
  const group: Words4 = [0xff020000 | 0, 0, 1, (0xff000000 | last) | 0]
  const packet = ipv6({ source, destination: group, nextHeader: 58 }, message)
  packet[7] = 255
  const groupMac = `33:33:ff:${[16, 8, 0].map(n => hexOf(Uint8Array.of(last >> n))).join(':')}`
  return ether(groupMac, from.mac, 0x86dd, packet, tags)
}

// ---- one receiver ----

test('the first frame to a given MAC goes to its VTEP alone, and nothing is learned', t => {
  const { lab, one, a, b, c } = makeMesh()
  for (const [to, size] of [[b, 10], [c, 20], [b, 30]] as const) {
    a.send(udpFrame(a, to, payloadOf(size)))
  }
  lab.run()
  t.deepEqual(received(b, c), [
    [hexOf(udpFrame(a, b, payloadOf(10))), hexOf(udpFrame(a, b, payloadOf(30)))],
    [hexOf(udpFrame(a, c, payloadOf(20)))],
  ])
  t.is(one.count('frames.underlay_out'), 3)
  t.is(one.count('frames.flooded'), 0)
  for (const host of lab.hosts) {
    t.is(host.learnedCount, 0)
    t.deepEqual(host.drops(), {})
  }
})

test('a given MAC is found in every network apart', t => {
  const lab = new Lab({ hosts: 3, vnis: [5000, 5001], strict: true })
  const mac = macOfAddress(parseIpv4('10.0.1.3'))
  const senders = [0, 1].map(network => lab.host(0).addEndpoint('10.0.1.2', { network }))
  const ends = [0, 1].map(network =>
    lab.host(1 + network).addEndpoint('10.0.1.3', { network, mac }))
  lab.share()
  senders.forEach((from, n) => from.send(udpFrame(from, ends[n]!, payloadOf(10 + n))))
  lab.run()
  t.deepEqual(received(...ends), ends.map((end, n) =>
    [hexOf(udpFrame(senders[n]!, end, payloadOf(10 + n)))]))
})

test('a given MAC moves with the next image, whatever was learned of it before', t => {
  const { lab, one, two, a, b } = makeMesh({ strict: false })
  one.rows.remotes = []
  one.adopt()
  b.send(udpFrame(b, a, PAYLOAD))
  lab.run()
  t.is(one.learnedCount, 1)
  lab.share()
  const at = one.rows.remotes.findIndex(row => row.address === parseIpv4(b.address))
  one.rows.remotes = one.rows.remotes.with(at,
    { ...one.rows.remotes[at]!, member: lab.host(2).address })
  one.adopt()
  a.send(udpFrame(a, b, PAYLOAD))
  lab.run()
  t.is(two.count('frames.underlay_in'), 0)
  t.is(lab.host(2).count('frames.underlay_in'), 1)
})

test('a given MAC whose VTEP is no member is reached by nobody', t => {
  const { lab, one, a, b, c } = makeMesh()
  one.rows.members = one.rows.members.filter(member => member.address !== lab.host(1).address)
  one.adopt()
  a.send(udpFrame(a, b, PAYLOAD), arpRequest(a, b.address), udpFrame(a, c, PAYLOAD))
  lab.run()
  t.deepEqual(one.drops(), { no_vtep: 2 })
  t.is(received(c)[0]!.length, 1)
})

test('an unknown MAC goes nowhere where all is given', t => {
  const { lab, one, a } = makeMesh()
  a.send(udpFrame(a, STRANGER, PAYLOAD))
  lab.run()
  t.deepEqual(one.drops(), { no_vtep: 1 })
  t.is(one.count('frames.underlay_out'), 0)
})

test('an unknown MAC is looked for behind promiscuous endpoints only', t => {
  const { lab, one, two, a, b, c } = makeMesh({}, { promiscuous: true })
  a.send(udpFrame(a, STRANGER, PAYLOAD))
  lab.run()
  t.deepEqual(received(b, c), [[], [hexOf(udpFrame(a, STRANGER, PAYLOAD))]])
  t.is(one.count('frames.flooded'), 1)
  t.is(two.count('frames.underlay_in'), 0)
  c.send(udpFrame(STRANGER, a, PAYLOAD))
  lab.run()
  t.is(received(a)[0]!.length, 1)
  t.is(one.learnedCount, 1)
  a.send(udpFrame(a, STRANGER, PAYLOAD))
  lab.run()
  t.is(one.count('frames.flooded'), 1)
  t.is(received(c)[0]!.length, 1)
})

// ---- all receivers ----

test('a broadcast goes to every VTEP as ever', t => {
  const { lab, one, a, b, c } = makeMesh()
  const frames = [
    udpFrame(a, { mac: BROADCAST, address: '10.0.1.255' }, PAYLOAD),
    ether('01:00:5e:00:00:fb', a.mac, 0x88b5, payloadOf(46)),
  ]
  a.send(...frames)
  lab.run()
  t.deepEqual(received(b, c), [frames.map(hexOf), frames.map(hexOf)])
  t.is(one.count('frames.flooded'), 4)
})

// ---- ARP ----

for (const strict of [true, false]) {
  test(`a question for a given address is answered here, strict ${strict}`, t => {
    const { lab, one, a, b, c } = makeMesh({ strict })
    a.send(arpRequest(a, b.address), arpRequest(a, c.address, [VLAN_10]))
    lab.run()
    t.deepEqual(received(a), [[
      hexOf(arpReply(b, a)), hexOf(arpFrame(a.mac, c.mac, 2, c, a, [VLAN_10])),
    ]])
    t.is(one.count('arp.answered'), 2)
    t.is(one.count('frames.underlay_out'), 0)
  })
}

test('a question for an unknown address is dropped, and counted', t => {
  const { lab, one, a } = makeMesh()
  a.send(arpRequest(a, STRANGER.address),
    arpFrame(BROADCAST, a.mac, 1, { mac: a.mac, address: '0.0.0.0' },
      { mac: NO_MAC, address: STRANGER.address }))
  lab.run()
  t.deepEqual(one.drops(), { unknown_address: 2 })
  t.is(one.count('frames.underlay_out'), 0)
})

test('a question for an unknown address is asked at promiscuous endpoints only', t => {
  const { lab, one, a, b, c } = makeMesh({}, { promiscuous: true })
  const neighbour = one.addEndpoint('10.0.1.5')
  const watcher = one.addEndpoint('10.0.1.6', { promiscuous: true })
  lab.share()
  const question = hexOf(arpRequest(a, STRANGER.address))
  a.send(octetsOf(question))
  lab.run()
  t.deepEqual(received(neighbour, watcher, b, c), [[], [question], [], [question]])
  t.deepEqual(one.drops(), {})
})

test('where not all is given, a question for an unknown address goes to everybody', t => {
  const { lab, a, b, c } = makeMesh({ strict: false })
  a.send(arpRequest(a, STRANGER.address))
  lab.run()
  t.deepEqual(received(b, c).map(frames => frames.length), [1, 1])
})

test('"I have this address" reaches everybody', t => {
  const { lab, a, b, c } = makeMesh({}, { promiscuous: true })
  a.send(arpRequest(a, a.address), arpFrame(BROADCAST, a.mac, 2, a, a))
  c.send(arpRequest(STRANGER, STRANGER.address))
  lab.run()
  t.deepEqual(received(a, b, c).map(frames => frames.length), [1, 3, 2])
  for (const host of lab.hosts) t.deepEqual(host.drops(), {})
})

// ---- neighbour discovery ----

test('the answer to a solicitation is what a kernel would have sent', t => {
  const golden = vector('icmpv6-neighbour-advertisement').subarray(50)
  const lab = new Lab({ strict: true })
  const asker = lab.host(0).addEndpoint('10.0.1.9')
  const asked = lab.host(1).addEndpoint('10.0.1.8')
  lab.share()
  asker.send(solicitation(asker, asked.linkLocal))
  lab.run()
  t.deepEqual(received(asker, asked), [[hexOf(golden)], []])
  t.is(lab.host(0).count('ndp.answered'), 1)
  t.is(lab.host(0).count('frames.underlay_out'), 0)
})

test('a solicitation for a neighbour on this host is answered too, in its VLAN', t => {
  const { lab, one, a } = makeMesh()
  const neighbour = one.addEndpoint('10.0.1.5')
  a.send(solicitation(a, neighbour.linkLocal, a.linkLocal, [VLAN_10]))
  lab.run()
  const [[answer], nobody] = received(a, neighbour)
  t.deepEqual(nobody, [])
  t.is(answer!.slice(0, 36), `${'02420a000102'}${'02420a000105'}8100000a86dd`)
  t.is(answer!.length / 2, 18 + 72)
})

const FLOODED: [name: string, frame: (a: LabEndpoint, b: LabEndpoint) => Uint8Array][] = [
  ['duplicate address detection', a => solicitation(a, a.linkLocal, [0, 0, 0, 0])],
  ['detection of another\'s address', (a, b) => solicitation(a, b.linkLocal, [0, 0, 0, 0])],
  ['its own address', a => solicitation(a, a.linkLocal)],
  ['an unknown link-local address', a => solicitation(a, linkLocalWords(STRANGER.mac))],
  ['an address that shows no MAC', a => solicitation(a, [0xfd000001 | 0, 0, 0, 9])],
  ['one that is cut', (a, b) => {
    const frame = solicitation(a, b.linkLocal).slice(0, 14 + 40 + 23)
    viewOf(frame).setUint16(18, 23)
    return frame
  }],
  ['a router solicitation', a => ipv6Frame(a, { mac: '33:33:00:00:00:02', address: '' }, {
    source: a.linkLocal, destination: [0xff020000 | 0, 0, 0, 2], nextHeader: 58 },
  Uint8Array.of(133, 0, 0, 0, 0, 0, 0, 0))],
]
for (const [name, frame] of FLOODED) {
  test(`flooded as any frame for a group: ${name}`, t => {
    const { lab, one, a, b, c } = makeMesh()
    const octets = frame(a, b)
    a.send(octets)
    lab.run()
    t.deepEqual(received(a, b, c), [[], [hexOf(octets)], [hexOf(octets)]])
    t.is(one.count('ndp.answered'), 0)
  })
}
