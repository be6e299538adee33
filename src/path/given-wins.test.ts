// Whatever is sent, learned, given, moved and taken back, in any order: what is given wins over
// what was learned. fast-check prints the seed of a failing run.
import test from 'ava'
import fc from 'fast-check'
import { parseIpv4, parseMac } from '../base/text.ts'
import { writeVxlan } from '../wire/vxlan.ts'
import { breathe, TOKEN_UNDERLAY } from './engine.ts'
import { payloadOf, type Station, station, udpFrame, viewOf } from './frames.test-kit.ts'
import { Lab, type LabEndpoint, type LabHost, VNI } from './lab.test-kit.ts'

const RUNS = 400
/** Stations 0 and 1 are endpoints of this host, the second of them promiscuous. */
const STATIONS: readonly Station[] = [2, 3, 4, 5, 6, 7].map(last => station(`10.0.1.${last}`))
const VTEPS = 2

/** For each station that is given: the VTEP (0 or 1) that it was given to. */
type Given = ReadonlyMap<number, number>
type Event =
  | { type: 'give'; given: Given; strict: boolean; promiscuous: boolean[] }
  | { type: 'outside'; vtep: number; from: number; to: number }
  | { type: 'inside'; from: number; as: number; to: number }
  | { type: 'wait'; ms: number }

const aStation = fc.nat(STATIONS.length - 1)
const aVtep = fc.nat(VTEPS - 1)
const anEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    type: fc.constant('give' as const),
    given: fc.array(fc.tuple(fc.integer({ min: 2, max: STATIONS.length - 1 }), aVtep))
      .map(pairs => new Map(pairs)),
    strict: fc.boolean(),
    promiscuous: fc.array(fc.boolean(), { minLength: VTEPS, maxLength: VTEPS }),
  }),
  fc.record({ type: fc.constant('outside' as const), vtep: aVtep, from: aStation, to: aStation }),
  fc.record({ type: fc.constant('inside' as const), from: fc.nat(1), as: aStation, to: aStation }),
  fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 400_000 }) }),
)

/** One host that breathes, and two VTEPs that only listen. */
class Mesh {
  readonly lab = new Lab({ hosts: 1 + VTEPS })
  readonly host: LabHost
  readonly vteps: LabHost[]
  readonly ends: LabEndpoint[]
  given: Given = new Map()
  strict = false
  promiscuous = [false, false]

  constructor() {
    this.host = this.lab.host(0)
    this.vteps = this.lab.hosts.slice(1)
    for (const vtep of this.vteps) vtep.waiter.makeUnwatched(TOKEN_UNDERLAY)
    this.ends = [0, 1].map(n =>
      this.host.addEndpoint(STATIONS[n]!.address, { promiscuous: n === 1 }))
  }

  give(event: Event & { type: 'give' }): void {
    const { rows } = this.host
    Object.assign(this, { given: event.given, strict: event.strict })
    this.promiscuous = event.promiscuous
    rows.networks[0]!.strict = event.strict
    rows.members.forEach((member, n) => { member.promiscuous = event.promiscuous[n] ?? false })
    rows.remotes = [...event.given].map(([n, vtep]) => {
      const [macHigh, macLow] = parseMac(STATIONS[n]!.mac)
      return { network: 0, macHigh, macLow, address: parseIpv4(STATIONS[n]!.address),
        member: this.vteps[vtep]!.address }
    })
    this.host.adopt()
  }

  /** Who got something: endpoints as "a0", VTEPs as "v0". */
  run(): string {
    while (this.host.waiter.wait(0) > 0) breathe(this.host.plane, this.host.waiter, 0)
    const ends = this.ends.map((end, n) => end.takeAll().length > 0 ? `a${n}` : '')
    const vteps = this.vteps.map(({ underlay }, n) => {
      let count = 0
      while (underlay.inbound.shift() !== undefined) count += 1
      return count > 0 ? `v${n}` : ''
    })
    return [...ends, ...vteps].filter(name => name !== '').join(' ')
  }

  ownerOf(n: number): string | undefined {
    const vtep = this.given.get(n)
    return n < 2 ? `a${n}` : vtep === undefined ? undefined : `v${vtep}`
  }
}

function outside(mesh: Mesh, event: Event & { type: 'outside' }): string {
  const frame = udpFrame(STATIONS[event.from]!, STATIONS[event.to]!, payloadOf(9))
  const octets = new Uint8Array(8 + frame.length)
  writeVxlan(viewOf(octets), 0, VNI)
  octets.set(frame, 8)
  const before = mesh.host.learnedCount
  mesh.host.receive(octets, mesh.vteps[event.vtep]!.address)
  const got = mesh.run()
  const owner = mesh.ownerOf(event.from)
  const mayBe = owner === undefined ? !mesh.strict || mesh.promiscuous[event.vtep]!
    : owner === `v${event.vtep}`
  const isLearned = mesh.host.learnedCount > before
  if (!mayBe && (got !== '' || isLearned)) return `taken from ${owner}: ${got}`
  if (owner !== undefined && isLearned) return `learned although given to ${owner}`
  const receiver = mesh.ownerOf(event.to)
  if (mayBe && receiver !== undefined) {
    const expected = receiver.startsWith('a') ? receiver : ''
    if (got !== expected) return `for ${receiver}, and ${got} got it`
  }
  return got.includes('v') ? `back into the tunnel: ${got}` : ''
}

function inside(mesh: Mesh, event: Event & { type: 'inside' }): string {
  const source = event.from === 0 ? 0 : event.as
  mesh.ends[event.from]!.send(udpFrame(STATIONS[source]!, STATIONS[event.to]!, payloadOf(9)))
  const got = mesh.run()
  const owner = mesh.ownerOf(source)
  const mayBe = owner === undefined || owner === `a${event.from}` || !mesh.strict
  if (!mayBe) return got === '' ? '' : `taken from ${owner}: ${got}`
  const receiver = mesh.ownerOf(event.to)
  if (receiver === undefined) return ''
  const expected = receiver === `a${event.from}` ? '' : receiver
  return got === expected ? '' : `for ${receiver}, and ${got} got it`
}

test('what is given wins over what was learned, in every order of events', t => {
  fc.assert(fc.property(fc.array(anEvent, { minLength: 1, maxLength: 40 }), events => {
    const mesh = new Mesh()
    for (const event of events) {
      if (event.type === 'give') mesh.give(event)
      else if (event.type === 'wait') mesh.lab.advance(event.ms)
      else {
        const fault = event.type === 'outside' ? outside(mesh, event) : inside(mesh, event)
        if (fault !== '') throw new Error(fault)
      }
    }
  }), { numRuns: RUNS })
  t.pass()
})
