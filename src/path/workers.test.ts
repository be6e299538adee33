// Several workers of one host: what one learned, all know; and a slot of other tables is nobody's.
import test from 'ava'
import { parseIpv4, parseMac } from '../base/text.ts'
import { breathe } from './engine.ts'
import { payloadOf, station, udpFrame } from './frames.test-kit.ts'
import { Lab, type LabEndpoint, LabHost, VNI } from './lab.test-kit.ts'
import { AGEING_SECONDS, findLearned } from './learned.ts'
import { makeNews, makeNewsMemory, NEWS_ROWS, tell } from './news.ts'

const PAYLOAD = payloadOf(20)
const THERE = station('10.0.1.9')
const STRANGERS = [parseIpv4('192.168.56.12'), parseIpv4('192.168.56.13')] as const

/** One host with several workers, each with a queue of endpoint A; and two VTEPs. */
function team(workers = 2) {
  const memories = Array.from({ length: workers }, makeNewsMemory)
  const lab = new Lab({ hosts: 0 })
  const hosts = memories.map((_, n) => new LabHost(n + 1, lab,
    { news: makeNews(memories, n), workers }))
  const a: LabEndpoint[] = []
  for (const host of hosts) {
    a.push(host.addEndpoint('10.0.1.2'))
    for (const address of STRANGERS) host.addMember(address)
  }
  const breathAll = () => hosts.forEach(host => breathe(host.plane, host.waiter, 0))
  return { lab, hosts, a, breathAll }
}

/** A datagram with a frame from THERE to A, of the VTEP number `from`. */
function hears(host: LabHost, a: LabEndpoint, from: number): void {
  const header = [8, 0, 0, 0, 0, VNI >> 8, VNI & 0xff, 0]
  host.receive(Uint8Array.of(...header, ...udpFrame(THERE, a, PAYLOAD)), STRANGERS[from]!)
  breathe(host.plane, host.waiter, 0)
}

function placeOf(host: LabHost, mac = THERE.mac): number | undefined {
  const { learned } = host.plane
  const [high, low] = parseMac(mac)
  const entry = findLearned(learned, VNI, high, low | 0)
  return entry < 0 ? undefined : learned.port[entry]! < 0 ? learned.address[entry]
    : learned.port[entry]
}

test('what one worker learned, the others send to and do not flood', t => {
  const { hosts, a } = team(3)
  hears(hosts[0]!, a[0]!, 1)
  for (const n of [1, 2]) {
    const host = hosts[n]!
    a[n]!.send(udpFrame(a[n]!, THERE, PAYLOAD))
    breathe(host.plane, host.waiter, 0)
    t.is(placeOf(host), STRANGERS[1] | 0)
    // Nobody has these addresses, so what was sent comes back as refused, one by one.
    t.deepEqual(host.drops(), { underlay_unreachable: 1 })
    t.is(host.count('frames.flooded'), 0)
  }
  t.deepEqual(hosts.map(host => host.count('fdb.learned')), [1, 0, 0], 'it counts once')
  t.deepEqual(hosts.map(host => host.learnedCount), [1, 1, 1])
})

test('a MAC that moves has moved for all', t => {
  const { hosts, a, breathAll } = team()
  hears(hosts[0]!, a[0]!, 0)
  breathAll()
  hears(hosts[1]!, a[1]!, 1)
  breathAll()
  t.deepEqual(hosts.map(host => placeOf(host)), [STRANGERS[1] | 0, STRANGERS[1] | 0])
  t.deepEqual(hosts.map(host => host.count('fdb.moved')), [0, 1])
})

test('news are heard before frames: an older place does not come after a newer one', t => {
  const { hosts, a } = team()
  hears(hosts[0]!, a[0]!, 0)
  hears(hosts[1]!, a[1]!, 1)
  t.is(placeOf(hosts[1]!), STRANGERS[1] | 0)
})

test('a MAC that one worker keeps hearing does not age for the others', t => {
  const { lab, hosts, a, breathAll } = team()
  for (let second = 0; second < 2 * AGEING_SECONDS; second += 10) {
    hears(hosts[0]!, a[0]!, 0)
    breathAll()
    t.not(placeOf(hosts[1]!), undefined)
    lab.clock.advance(10_000)
  }
  lab.clock.advance((AGEING_SECONDS + 60) * 1000)
  breathAll()
  t.deepEqual(hosts.map(host => placeOf(host)), [undefined, undefined])
  t.deepEqual(hosts.map(host => host.count('fdb.aged')), [1, 0], 'it counts once')
})

test('a slot that was told under other tables is not believed', t => {
  const { hosts } = team()
  const [one, two] = hosts
  const { news } = one!.plane
  const [high, low] = parseMac(THERE.mac)
  tell(news, VNI, high, low, 0, 0)
  two!.adopt() // the slot may be another port's by now
  breathe(two!.plane, two!.waiter, 0)
  t.is(placeOf(two!), undefined)
  one!.adopt()
  one!.adopt()
  tell(news, VNI, high, low, 0, 0)
  breathe(two!.plane, two!.waiter, 0)
  t.is(placeOf(two!), undefined, 'not before these tables are ours, too')
  two!.adopt()
  breathe(two!.plane, two!.waiter, 0)
  t.is(placeOf(two!), 0)
})

test('a VTEP that was told under older tables is believed, while there is such a network', t => {
  const { hosts } = team()
  const [one, two] = hosts
  const [high, low] = parseMac(THERE.mac)
  tell(one!.plane.news, VNI, high, low, -1, STRANGERS[0] | 0)
  tell(one!.plane.news, VNI + 1, high, low, -1, STRANGERS[0] | 0)
  two!.adopt()
  breathe(two!.plane, two!.waiter, 0)
  t.is(placeOf(two!), STRANGERS[0] | 0)
  t.is(two!.learnedCount, 1)
})

test('who could not keep up says so', t => {
  const { hosts } = team()
  const [one, two] = hosts
  for (let mac = 0; mac < NEWS_ROWS * 2; mac++) tell(one!.plane.news, VNI, 2, mac, -1, 5)
  breathe(two!.plane, two!.waiter, 0)
  t.is(two!.count('fdb.unheard') + two!.learnedCount, NEWS_ROWS * 2)
  t.true(two!.count('fdb.unheard') > 0)
})

test('the workers share the limit of ICMP errors', t => {
  const { lab, hosts, a } = team(3)
  lab.clock.advance(1000)
  for (const [n, host] of hosts.entries()) {
    for (let i = 0; i < 50; i++) a[n]!.send(udpFrame(a[n]!, THERE, payloadOf(1500)))
    while (host.waiter.wait(0) > 0) breathe(host.plane, host.waiter, 0)
  }
  t.deepEqual(hosts.map(host => host.count('icmp.too_large_sent')), [34, 34, 34])
})
