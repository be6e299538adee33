// Super-frames to a virtual address and bundles from it: what arrives, taken apart by the receiving
// kernel, is what the two ends would have sent each other without one. fast-check prints the seed.
import test from 'ava'
import fc from 'fast-check'
import type { Station } from './frames.test-kit.ts'
import type { LabEndpoint } from './lab.test-kit.ts'
import { ACK, firstDifference, type Passed, segmentsOf, TCP, unpacked } from './offload.test-kit.ts'
import { datagram, serviceLab, SYN, tcpFrame, VIP } from './services.test-kit.ts'
import { joinableSpec, specOf, superFrame, type SuperSpec } from './super-frame.test-kit.ts'

const RUNS = { numRuns: 150 }
const spec4 = fc.tuple(joinableSpec, fc.integer({ min: 0, max: 10 })).map(([spec, options]) =>
  ({ ...spec, version: 4 as const, options, flags: spec.flags | ACK }))

function takePassed(end: LabEndpoint): Passed[] {
  const all: Passed[] = []
  for (let next = end.take(); next !== undefined; next = end.take()) {
    all.push({ octets: next.octets, header: next.vnetHeader })
  }
  return all
}

function sendSuper(end: LabEndpoint, from: Station, to: Station, spec: SuperSpec): void {
  const { octets, header } = superFrame(spec, from, to)
  end.port.inbound.push({ octets, vnetHeader: header, source: 0, tos: 0, flow: 0 })
}

function expected(spec: SuperSpec, from: Station, to: Station): Uint8Array[] {
  return segmentsOf(superFrame(spec, from, to).octets, spec.size)
}

/** What a single super-frame is when it passes a host as it is; one segment asks for no cutting. */
function passed(end: LabEndpoint): Uint8Array[] {
  return takePassed(end).flatMap(one => unpacked(one))
}

function begin(client: LabEndpoint, spec: SuperSpec, ports: readonly [number, number]): Uint8Array {
  return spec.protocol === TCP ? tcpFrame(client, VIP, ports, SYN) : datagram(client, VIP, ports)
}

for (const address of ['10.0.1.9', '10.0.1.3']) {
  const where = address === '10.0.1.9' ? 'another host' : 'this host'
  test(`super-frames to a backend of ${where}`, t => {
    const { lab, client, here, there } = serviceLab([{ id: 0, address }], 'rr', { mtu: 1600 })
    const backend = address === here.address ? here : there
    fc.assert(fc.property(spec4, spec => {
      client.send(begin(client, spec, [spec.sourcePort, 5201]))
      lab.run()
      backend.takeAll()
      sendSuper(client, client, VIP, spec)
      lab.run()
      t.is(firstDifference(passed(backend), expected(spec, client, backend)), '')
    }), RUNS)
  })

  test(`super-frames from a backend of ${where}`, t => {
    const { lab, one, client, here, there } = serviceLab([{ id: 0, address }], 'rr', { mtu: 1600 })
    const backend = address === here.address ? here : there
    fc.assert(fc.property(spec4, spec => {
      client.send(begin(client, spec, [5201, spec.sourcePort]))
      lab.run()
      backend.takeAll()
      sendSuper(backend, backend, client, spec)
      lab.run()
      t.is(firstDifference(passed(client), expected(spec, VIP, client)), '')
    }), RUNS)
    if (backend === there) t.true(one.count('frames.coalesced') > 0)
  })
}

test('checksums that a kernel leaves partial on the tunnel are known for that', t => {
  const { lab, one, client, there } = serviceLab([{ id: 0, address: '10.0.1.9' }])
  for (const member of one.rows.members) member.marksPartial = false
  one.adopt()
  const spec = specOf({ sourcePort: 80, segments: 2, size: 500 })
  client.send(tcpFrame(client, VIP, [5201, 80], SYN))
  lab.run()
  there.takeAll()
  const [first, second] = expected(spec, there, client)
  for (const frame of [first!, second!]) {
    const { octets } = superFrame(specOf({ sourcePort: 80, segments: 1, size: 500 }), there, client)
    // The field of a frame of this length that is partial: that of the super-frame of one segment.
    frame.set(octets.subarray(50, 52), 50)
  }
  const header = [8, 0, 0, 0, 0, 0x10, 1, 0]
  for (const frames of [[first!], [first!, second!]]) {
    for (const frame of frames) one.receive(Uint8Array.of(...header, ...frame), 0xc0a8380c)
    lab.run()
    t.is(firstDifference(passed(client), expected(spec, VIP, client).slice(0, frames.length)), '')
  }
})

test('a damaged segment of an answer is not put together, and arrives damaged', t => {
  const { lab, one, client, there } = serviceLab([{ id: 0, address: '10.0.1.9' }])
  client.send(tcpFrame(client, VIP, [5201, 80], SYN))
  lab.run()
  there.takeAll()
  const spec = specOf({ sourcePort: 80, segments: 4, size: 500 })
  const frames = expected(spec, there, client)
  const wanted = expected(spec, VIP, client)
  for (const frame of [frames[1]!, wanted[1]!]) frame[100]! ^= 0x10
  const header = [8, 0, 0, 0, 0, 0x10, 1, 0]
  for (const frame of frames) one.receive(Uint8Array.of(...header, ...frame), 0xc0a8380c)
  lab.run()
  t.is(firstDifference(passed(client), wanted), '')
  t.true(one.count('frames.coalesced') > 0)
})
