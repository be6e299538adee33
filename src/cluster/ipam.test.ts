// Address pools: the serial order, what is never given, rests, and what a restart finds.
import test from 'ava'
import fc from 'fast-check'
import { TapmeshError } from '../base/errors.ts'
import { formatIpv4, macOfAddress, parseCidr, parseIpv4 } from '../base/text.ts'
import type { PoolState } from './ipam.ts'
import { AddressPool, POOL_TAKEN_MAX, REST_MS } from './ipam.ts'

const pool = (cidr: string, gateway?: string): AddressPool =>
  new AddressPool(parseCidr(cidr), gateway === undefined ? undefined : parseIpv4(gateway))

const give = (from: AddressPool, count: number, nowMs = 0): string[] =>
  Array.from({ length: count }, () => formatIpv4(from.allocate(nowMs)))

test('addresses are given in order, after the gateway', t => {
  t.deepEqual(give(pool('10.0.1.0/24'), 3), ['10.0.1.2', '10.0.1.3', '10.0.1.4'])
  t.is(macOfAddress(pool('10.0.1.0/24').allocate(0)), '02:42:0a:00:01:02')
})

test('a gateway as given is passed over, wherever it stands', t => {
  t.deepEqual(give(pool('10.0.1.0/29', '10.0.1.2'), 2), ['10.0.1.1', '10.0.1.3'])
  t.deepEqual(give(pool('10.0.1.0/29', '10.0.1.6'), 5).at(-1), '10.0.1.5')
})

test('a freed address comes again when the order has gone round and it has rested', t => {
  const p = pool('10.0.1.0/29')
  give(p, 2)
  p.release(parseIpv4('10.0.1.2'), 0)
  t.deepEqual(give(p, 3, 0), ['10.0.1.4', '10.0.1.5', '10.0.1.6'], 'not the lowest free one')
  t.throws(() => p.allocate(REST_MS - 1), {
    code: 'TM_LIMIT',
    message: /of 10\.0\.1\.0\/29 is free: of 5, 4 are used and 1 rest for 60 s after their use$/,
  })
  t.deepEqual(give(p, 1, REST_MS), ['10.0.1.2'])
  t.throws(() => p.allocate(REST_MS), { message: /of 5, 5 are used and 0 rest/ })
})

test('an address that is named may be resting, and does not move the order', t => {
  const p = pool('10.0.1.0/24')
  give(p, 2)
  p.release(parseIpv4('10.0.1.2'), 0)
  p.claim(parseIpv4('10.0.1.2'))
  p.claim(parseIpv4('10.0.1.200'))
  p.claim(parseIpv4('10.0.1.4'))
  t.deepEqual(p.usage(), { used: 4, resting: 0, capacity: 253 })
  t.deepEqual(give(p, 1), ['10.0.1.5'])
})

const refusals: [address: string, code: string, message: RegExp][] = [
  ['10.0.2.1', 'TM_USAGE', /address 10\.0\.2\.1 is not in .*; use 10\.0\.1\.1 to 10\.0\.1\.254/],
  ['10.0.1.0', 'TM_USAGE', /address 10\.0\.1\.0 is the network address of 10\.0\.1\.0\/24/],
  ['10.0.1.255', 'TM_USAGE', /address 10\.0\.1\.255 is the broadcast address/],
  ['10.0.1.1', 'TM_USAGE', /address 10\.0\.1\.1 is the gateway/],
  ['10.0.1.2', 'TM_CONFLICT', /address 10\.0\.1\.2 is taken/],
]
for (const [address, code, message] of refusals) {
  test(`${address} cannot be claimed`, t => {
    const p = pool('10.0.1.0/24')
    give(p, 1)
    t.throws(() => p.claim(parseIpv4(address)), { code, message })
    t.is(p.usage().used, 1)
  })
}

for (const [cidr, message] of [
  ['10.0.1.0/31', /subnet 10\.0\.1\.0\/31 is too small/],
  ['10.0.1.4/32', /too small; use a prefix length from 8 to 30/],
  ['8.0.0.0/7', /subnet 8\.0\.0\.0\/7 is too large/],
  ['10.0.1.8/24', /10\.0\.1\.8\/24 does not begin at its first address; write 10\.0\.1\.0\/24/],
] as const) {
  test(`no pool in ${cidr}`, t => {
    t.throws(() => pool(cidr), { code: 'TM_USAGE', message })
  })
}

for (const gateway of ['10.0.1.0', '10.0.1.255', '10.0.2.1']) {
  test(`${gateway} cannot be the gateway of 10.0.1.0/24`, t => {
    const message = new RegExp(`^gateway ${gateway.replaceAll('.', '\\.')} is`)
    t.throws(() => pool('10.0.1.0/24', gateway), { code: 'TM_USAGE', message })
  })
}

test('the smallest pool has one address', t => {
  const p = pool('10.0.1.0/30')
  t.deepEqual(give(p, 1), ['10.0.1.2'])
  t.throws(() => p.allocate(0), { code: 'TM_LIMIT' })
})

test('the top of the address space is no trap', t => {
  const p = pool('255.255.255.248/29')
  t.is(give(p, 5).at(-1), '255.255.255.254')
  t.throws(() => p.allocate(0), { code: 'TM_LIMIT' })
})

test('a large subnet gives as many as the limit says', t => {
  const p = pool('10.0.0.0/8')
  t.is(give(p, POOL_TAKEN_MAX).at(-1), '10.1.0.1')
  t.throws(() => p.allocate(0), { code: 'TM_LIMIT', message: /of 65536, 65536 are used/ })
  t.throws(() => p.claim(parseIpv4('10.99.0.1')), { code: 'TM_LIMIT', message: /65536/ })
})

test('what is not taken is not released', t => {
  const p = pool('10.0.1.0/24')
  for (const address of ['10.0.1.2', '10.0.1.1', '10.0.9.9']) p.release(parseIpv4(address), 0)
  t.deepEqual(p.usage(), { used: 0, resting: 0, capacity: 253 })
})

test('a restart goes on where it was', t => {
  const before = pool('10.0.1.0/24')
  give(before, 3)
  before.claim(parseIpv4('10.0.1.5'))
  before.release(parseIpv4('10.0.1.4'), 0)
  const state = JSON.parse(JSON.stringify(before.state()))
  const after = new AddressPool(parseCidr('10.0.1.0/24'), undefined, state)
  t.deepEqual(after.state(), before.state())
  t.deepEqual(give(after, 1), ['10.0.1.6'])
  t.true(after.has(parseIpv4('10.0.1.5')))
  t.false(after.has(parseIpv4('10.0.1.4')))
})

test('a state that cannot be is refused', t => {
  const subnet = parseCidr('10.0.1.0/24')
  const last = subnet.network
  const restore = (state: PoolState) => () => new AddressPool(subnet, undefined, state)
  t.throws(restore({ last, taken: [last + 2, last + 2] }), { code: 'TM_CONFLICT' })
  t.throws(restore({ last, taken: [last + 256] }), { code: 'TM_USAGE' })
  const message = /^last address 0\.0\.0\.7 is not in 10\.0\.1\.0\/24/
  t.throws(restore({ last: 7, taken: [] }), { code: 'TM_USAGE', message })
})

type Step = { kind: 'allocate' | 'claim' | 'release' | 'restart'; host: number; afterMs: number }

const HOSTS = 6

/** The rules said another way: each of the 6 addresses of a /29 is tried in turn. */
class Model {
  readonly subnet = parseCidr('10.0.1.0/29')
  readonly gateway = this.subnet.network + 3
  last = this.subnet.network
  taken = new Set<number>()
  restsUntilMs = new Map<number, number>()

  next(nowMs: number): number | null {
    const first = this.subnet.network + 1
    for (let step = 0; step < HOSTS; step += 1) {
      const address = first + (this.last - this.subnet.network + step) % HOSTS
      const rests = (this.restsUntilMs.get(address) ?? 0) > nowMs
      if (address !== this.gateway && !this.taken.has(address) && !rests) return address
    }
    return null
  }

  mayClaim(address: number): boolean {
    const inside = address > this.subnet.network && address < this.subnet.last
    return inside && address !== this.gateway && !this.taken.has(address)
  }
}

test('whatever happens, the pool does what the rules say', t => {
  const step = fc.record<Step>({
    kind: fc.constantFrom('allocate', 'allocate', 'claim', 'release', 'restart'),
    host: fc.integer({ min: -1, max: 8 }),
    afterMs: fc.constantFrom(0, 0, 0, 1000, REST_MS / 2, REST_MS),
  })
  fc.assert(fc.property(fc.array(step, { maxLength: 100, size: 'large' }), steps => {
    const model = new Model()
    let tested = new AddressPool(model.subnet, model.gateway)
    let nowMs = 1
    for (const { kind, host, afterMs } of steps) {
      nowMs += afterMs
      tested = play(tested, model, kind, model.subnet.network + host, nowMs)
      const taken = [...model.taken].sort((a, b) => a - b)
      t.deepEqual(tested.state(), { last: model.last, taken })
    }
  }), { numRuns: 400 })
})

function play(
  tested: AddressPool, model: Model, kind: Step['kind'], address: number, nowMs: number,
): AddressPool {
  if (kind === 'restart') {
    model.restsUntilMs.clear()
    return new AddressPool(model.subnet, model.gateway, tested.state())
  }
  if (kind === 'release') {
    if (model.taken.delete(address)) model.restsUntilMs.set(address, nowMs + REST_MS)
    tested.release(address, nowMs)
    return tested
  }
  const expected = kind === 'allocate'
    ? model.next(nowMs)
    : model.mayClaim(address) ? address : null
  const given = attempt(() => kind === 'claim' ? claimed(tested, address) : tested.allocate(nowMs))
  if (given !== expected) throw new Error(`${kind} ${address}: ${given}, not ${expected}`)
  if (given === null) return tested
  model.taken.add(given)
  model.restsUntilMs.delete(given)
  if (kind === 'allocate') model.last = given
  return tested
}

function claimed(from: AddressPool, address: number): number {
  from.claim(address)
  return address
}

function attempt(work: () => number): number | null {
  try {
    return work()
  } catch (error) {
    if (error instanceof TapmeshError) return null
    throw error
  }
}
