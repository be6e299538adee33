// The two ways out of the switch when they are shut: ports that are full or gone, and a kernel that
// refuses datagrams. And the breath that drives it all.
import test from 'ava'
import { MemoryQueue } from '../kernel/memory-queue.ts'
import type { DropName } from './counter-names.ts'
import { breathe, TOKEN_WAKE } from './engine.ts'
import { payloadOf, station, udpFrame } from './frames.test-kit.ts'
import { Lab } from './lab.test-kit.ts'

const PAYLOAD = payloadOf(20)

test('a port that is full drops under its name, and nobody else suffers', t => {
  const lab = new Lab({ queueMax: 3 })
  const [a, b, c] = ['10.0.1.2', '10.0.1.3', '10.0.1.4'].map(ip => lab.host(0).addEndpoint(ip))
  for (let n = 0; n < 2; n++) {
    a!.send(udpFrame(a!, b!, PAYLOAD), udpFrame(a!, b!, PAYLOAD), udpFrame(a!, c!, PAYLOAD))
    lab.run()
  }
  t.deepEqual(lab.host(0).drops(), { tap_full: 1 })
  t.deepEqual([b!.takeAll().length, c!.takeAll().length], [3, 2])
})

test('a port that is gone while the table still names it drops under its name', t => {
  const lab = new Lab()
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const b = lab.host(0).addEndpoint('10.0.1.3')
  lab.host(0).plane.ports[b.slot] = undefined
  a.send(udpFrame(a, b, PAYLOAD))
  lab.run()
  t.deepEqual(lab.host(0).drops(), { tap_down: 1 })
  t.is(lab.host(0).count('frames.tap_out'), 0)
})

test('a port whose device is gone is named for the caller, with its errno', t => {
  const lab = new Lab({ hosts: 1 })
  const a = lab.host(0).addEndpoint('10.0.1.2')
  lab.host(0).plane.ports[a.slot] = {
    receive: () => -77, send: () => -77, gather: () => -77, close: () => {},
  }
  a.send(payloadOf(60))
  breathe(lab.host(0).plane, lab.host(0).waiter, 0)
  t.deepEqual([lab.host(0).plane.deadSlot, lab.host(0).plane.deadErrno], [a.slot, 77])
  t.is(lab.host(0).count('frames.tap_in'), 0)
})

test('a token of a slot without a port is let go', t => {
  const lab = new Lab({ hosts: 1 })
  const host = lab.host(0)
  const queue = new MemoryQueue()
  queue.push({ octets: PAYLOAD, source: 0, tos: 0, flow: 0 })
  host.waiter.makeWatched(2 + 900, queue)
  t.false(breathe(host.plane, host.waiter, 0))
  t.is(host.count('frames.tap_in'), 0)
})

const REFUSALS: [name: string, errno: number, drop: DropName][] = [
  ['EAGAIN', 11, 'underlay_full'],
  ['ENOMEM', 12, 'underlay_full'],
  ['ENOBUFS', 105, 'underlay_full'],
  ['ENETDOWN', 100, 'underlay_unreachable'],
  ['ENETUNREACH', 101, 'underlay_unreachable'],
  ['EHOSTUNREACH', 113, 'underlay_unreachable'],
  ['EMSGSIZE', 90, 'underlay_too_large'],
  ['EPERM', 1, 'underlay_refused'],
  ['ECONNREFUSED', 111, 'underlay_refused'],
]
for (const [name, errno, drop] of REFUSALS) {
  test(`a datagram that the kernel refuses with ${name} is ${drop}, and not counted as sent`, t => {
    const lab = new Lab()
    const host = lab.host(0)
    const a = host.addEndpoint('10.0.1.2')
    const frame = udpFrame(a, station('10.0.1.3'), PAYLOAD)
    for (let n = 1; n <= 3; n++) {
      host.underlay.refused[0]! += 1
      host.underlay.refused[errno]! += 1
      host.underlay.refusedOctets[0]! += frame.length + 8
      a.send(frame, frame)
      lab.run()
      t.deepEqual(host.drops(), { [drop]: n })
      t.is(host.count('frames.underlay_out'), n)
      t.is(host.count('octets.underlay_out'), n * frame.length)
    }
  })
}

test('one flush ends a batch, however many frames and VTEPs there are', t => {
  const lab = new Lab({ hosts: 4 })
  const a = lab.host(0).addEndpoint('10.0.1.2')
  const before = lab.host(0).underlay.flushes
  for (let n = 0; n < 4; n++) a.send(udpFrame(a, station('10.0.1.3'), PAYLOAD))
  lab.run()
  t.is(lab.host(0).count('frames.underlay_out'), 12)
  t.is(lab.host(0).underlay.flushes - before, 1)
})

test('a breath says when it was woken, and counts itself', t => {
  const lab = new Lab({ hosts: 1 })
  const host = lab.host(0)
  const before = host.count('plane.breaths')
  t.false(breathe(host.plane, host.waiter, 0))
  const wake = new MemoryQueue()
  host.waiter.makeWatched(TOKEN_WAKE, wake)
  wake.push({ octets: PAYLOAD, source: 0, tos: 0, flow: 0 })
  t.true(breathe(host.plane, host.waiter, 0))
  wake.shift()
  t.false(breathe(host.plane, host.waiter, 0))
  t.is(host.count('plane.breaths') - before, 3)
})

test('a new image is in use at once: VNI, members and MTU', t => {
  const lab = new Lab({ hosts: 2 })
  const [one, two] = lab.hosts
  const a = one!.addEndpoint('10.0.1.2')
  const b = two!.addEndpoint('10.0.1.3')
  for (const host of lab.hosts) host.rows.networks[0]!.vni = 777
  one!.adopt()
  a.send(udpFrame(a, b, PAYLOAD))
  lab.run()
  t.deepEqual(two!.drops(), { bad_vni: 1 })
  two!.adopt()
  a.send(udpFrame(a, b, PAYLOAD))
  lab.run()
  t.is(b.takeAll().length, 1)
  one!.rows.networks[0]!.mtu = 40
  one!.adopt()
  a.send(udpFrame(a, b, PAYLOAD))
  lab.run()
  t.deepEqual(one!.drops(), { too_large: 1 })
  one!.rows.networks[0]!.mtu = 1450
  one!.rows.members = []
  one!.adopt()
  a.send(udpFrame(a, b, PAYLOAD))
  lab.run()
  t.deepEqual(one!.drops(), { too_large: 1, no_vtep: 1 })
})
