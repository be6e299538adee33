// Leases, one step at a time: the order, what stays, what is freed, who moves, why there is none.
import test from 'ava'
import fc from 'fast-check'
import { formatIpv4, parseCidr, parseIpv4 } from '../../base/text.ts'
import { REST_MS } from '../ipam.ts'
import type { NodeFact } from './facts.ts'
import { allocatorOf, BLOCKS_MAX, missingManagers, shareOf } from './lease-share.ts'
import type { Lease } from './lease-space.ts'
import { type Want, wantsByNetwork } from './lease-wants.ts'
import { FREE_DELAY_MS, isHeld, type LeaseFacts, type LeaseStep, leaseStep } from './leases.ts'
import type { LeaseRow } from './rows.ts'

const NOW_MS = 1_700_000_000_000
const NETWORK = { subnet: '10.0.1.0/24', gateway: '10.0.1.1' }
const SMALL = { subnet: '10.0.1.0/29', gateway: '10.0.1.1' }

const want = (key: string, other: Partial<Want> = {}): Want =>
  ({ key, named: null, node: null, isAway: false, ...other })

function lease(key: string, address: string, other: Partial<LeaseRow> = {}, atMs = NOW_MS,
  writer = 'n1'): Lease {
  return { key, address, turn: 1, apart: false, freed: false, ...other,
    stamp: BigInt(atMs) << 16n, writer }
}

function step(facts: Partial<LeaseFacts>, unwanted: LeaseStep['unwanted'] = new Map(),
  nowMs = NOW_MS): LeaseStep {
  return leaseStep({ network: NETWORK, wants: [], leases: [], inUse: [], share: null, ...facts },
    unwanted, nowMs)
}

const givenBy = ({ writes }: LeaseStep): Record<string, string | null> =>
  Object.fromEntries(writes.map(({ key, value }) => [key, value?.address ?? null]))

test('nodes of the ingress network come first, then by age services before their slots', t => {
  const wants = wantsByNetwork({
    services: [
      { id: 'young', createdAt: 30, networks: ['net'], hasVip: false, slots: ['1'] },
      { id: 'old', createdAt: 10, networks: ['net', 'other'], hasVip: true, slots: ['1', '2'] },
    ],
    requests: [{ node: 'n', request: 'r', network: 'net', wanted: '10.0.1.9', createdAt: 20,
      isAway: false }],
    nodes: [{ id: 'n', isAway: false }], nodeNetworks: new Set(['net']),
  })
  t.deepEqual(wants.get('net')!.map(({ key }) => key), ['net/node/n', 'net/vip/old',
    'net/slot/old/1', 'net/slot/old/2', 'net/ask/n/r', 'net/slot/young/1'])
  t.deepEqual(wants.get('other')!.map(({ key }) => key), ['other/vip/old', 'other/slot/old/1',
    'other/slot/old/2'])
  t.like(wants.get('net')![4], { named: '10.0.1.9', node: 'n' })
})

test('addresses are given in order, after the last that was given', t => {
  const first = step({ wants: [want('a'), want('b')] })
  t.deepEqual(givenBy(first), { a: '10.0.1.2', b: '10.0.1.3' })
  t.deepEqual(first.writes.map(({ value }) => value!.turn), [1, 2])
  const later = step({ wants: [want('a'), want('c')],
    leases: [lease('a', '10.0.1.9', { turn: 7 }), lease('x', '10.0.1.200', { turn: 3 })] })
  t.deepEqual(givenBy(later), { c: '10.0.1.10' })
})

test('without a lease the order goes on after the youngest endpoint', t => {
  const inUse = [{ address: '10.0.1.9', node: 'n1', stamp: 1n },
    { address: '10.0.1.6', node: 'n1', stamp: 2n }]
  t.deepEqual(givenBy(step({ wants: [want('a')], inUse })), { a: '10.0.1.7' })
})

test('what is wanted stays, what is not is freed after a while, rests, and goes', t => {
  const leases = [lease('a', '10.0.1.2', { turn: 1 }), lease('b', '10.0.1.3', { turn: 2 })]
  const wants = [want('b')]
  const first = step({ leases, wants })
  t.deepEqual(first.writes, [])
  t.is(first.nextMs, NOW_MS + FREE_DELAY_MS)
  const second = step({ leases, wants }, first.unwanted, first.nextMs)
  t.like(second.writes, [{ key: 'a', value: { address: '10.0.1.2', freed: true } }])
  const freed = lease('a', '10.0.1.2', { turn: 1, freed: true })
  t.false(isHeld(freed))
  const resting = step({ leases: [freed, leases[1]!], wants })
  t.deepEqual(resting.writes, [])
  t.is(resting.nextMs, NOW_MS + REST_MS)
  t.deepEqual(step({ leases: [freed, leases[1]!], wants }, new Map(), resting.nextMs).writes,
    [{ key: 'a', value: null }])
})

test('who comes back while the own address rests has it again', t => {
  const freed = lease('a', '10.0.1.2', { freed: true })
  const { writes } = step({ leases: [freed], wants: [want('b'), want('a')] })
  t.deepEqual(writes, [
    { key: 'b', value: { address: '10.0.1.3', turn: 2, apart: false, freed: false } },
    { key: 'a', value: { address: '10.0.1.2', turn: 1, apart: false, freed: false } },
  ])
})

test('the last one given is remembered for as long as nothing else was', t => {
  const last = lease('a', '10.0.1.5', { turn: 4, freed: true })
  t.deepEqual(step({ leases: [last] }, new Map(), NOW_MS + REST_MS).writes, [])
  t.deepEqual(givenBy(step({ leases: [last], wants: [want('b')] }, new Map(), NOW_MS + REST_MS)),
    { b: '10.0.1.6' })
})

test('of two with one address the earlier keeps it', t => {
  const rows: [name: string, early: Lease, late: Lease][] = [
    ['by time', lease('b', '10.0.1.2', {}, 1, 'z'), lease('a', '10.0.1.2', {}, 2, 'm')],
    ['by node', lease('b', '10.0.1.2', {}, 1, 'm'), lease('a', '10.0.1.2', {}, 1, 'z')],
  ]
  for (const [name, early, late] of rows) {
    const { moved } = step({ leases: [late, early], wants: [want('a'), want('b')] })
    t.deepEqual(moved, [{ key: 'a', before: '10.0.1.2', address: '10.0.1.3' }], name)
  }
})

for (const address of ['10.0.1.1', '10.0.1.0', '10.0.1.255', '10.0.2.7']) {
  test(`a lease of ${address} is given anew`, t => {
    const { moved } = step({ leases: [lease('a', address)], wants: [want('a')] })
    t.is(moved.length, 1)
  })
}

test('an address that was named', t => {
  const named = (address: string, other: Partial<LeaseFacts> = {}): LeaseStep =>
    step({ wants: [want('a', { named: address, node: 'n1' })], ...other })
  t.deepEqual(named('10.0.1.77').writes[0]!.value,
    { address: '10.0.1.77', turn: 0, apart: false, freed: false })
  const inUse = [{ address: '10.0.1.77', node: 'n1', stamp: 1n }]
  t.deepEqual(givenBy(named('10.0.1.77', { inUse })), { a: '10.0.1.77' }, 'its own')
  const others = [{ ...inUse[0]!, node: 'n2' }]
  t.regex(named('10.0.1.77', { inUse: others }).lacks.get('a')!, /10\.0\.1\.77 is taken; choose/)
  const leases = [lease('b', '10.0.1.77')]
  const wants = [want('b'), want('a', { named: '10.0.1.77', node: 'n1' })]
  t.regex(step({ leases, wants }).lacks.get('a')!, /10\.0\.1\.77 is taken/)
  t.regex(named('10.0.1.1').lacks.get('a')!, /is the gateway/)
  t.regex(named('10.0.9.1').lacks.get('a')!, /is not in 10\.0\.1\.0\/24/)
  const share = (address: number): boolean => address % 2 === 0
  t.deepEqual(givenBy(named('10.0.1.76', { share })), { a: '10.0.1.76' })
  t.regex(named('10.0.1.77', { share }).lacks.get('a')!, /77 may not be given while a manager is m/)
  t.deepEqual(givenBy(named('10.0.1.77', { share, inUse })), { a: '10.0.1.77' }, 'its own')
})

test('a full subnet says so, and has room again after the rest', t => {
  const keys = ['a', 'b', 'c', 'd', 'e']
  const leases = keys.map((key, i) => lease(key, `10.0.1.${i + 2}`, { turn: i + 1 }))
  const wants = [...keys, 'f'].map(key => want(key))
  const full = step({ network: SMALL, leases, wants })
  t.deepEqual([...full.lacks], [['f', 'no address of 10.0.1.0/29 is free: of 5, 5 are used '
    + 'and 0 rest for 60 s after their use']])
  const freed = [lease('a', '10.0.1.2', { freed: true }), ...leases.slice(1)]
  const resting = step({ network: SMALL, leases: freed, wants: wants.slice(1) })
  t.regex(resting.lacks.get('f')!, /4 are used and 1 rest/)
  t.is(resting.nextMs, NOW_MS + REST_MS)
  t.deepEqual(givenBy(step({ network: SMALL, leases: freed, wants: wants.slice(1) }, new Map(),
    resting.nextMs)), { a: null, f: '10.0.1.2' })
})

test('1,000 services that come and go leave no address behind', t => {
  const leases = new Map<string, Lease>()
  let unwanted: ReadonlyMap<string, number> = new Map()
  let nowMs = NOW_MS
  let most = 0
  const run = (wants: readonly Want[], forMs: number): void => {
    for (const endMs = nowMs + forMs; nowMs < endMs; nowMs += 500) {
      const found = step({ leases: [...leases.values()], wants }, unwanted, nowMs)
      t.is(found.lacks.size, 0)
      unwanted = found.unwanted
      for (const { key, value } of found.writes) {
        if (value === null) leases.delete(key)
        else leases.set(key, { ...value, key, stamp: BigInt(nowMs) << 16n, writer: 'n1' })
      }
    }
    const addresses = [...leases.values()].map(({ address }) => address)
    t.is(new Set(addresses).size, addresses.length)
    most = Math.max(most, leases.size)
  }
  for (let cycle = 0; cycle < 1000; cycle += 1) {
    run(['vip', '1', '2'].map(slot => want(`web${cycle}/${slot}`)), 1000)
    run([], 1000)
  }
  t.true(most < 120, `${most} at one time`)
  run([], REST_MS + FREE_DELAY_MS + 1000)
  t.is(leases.size, 1, 'the one that says where the order goes on')
  run(Array.from({ length: 252 }, (_, i) => want(`last/${i}`)), 1000)
  t.is([...leases.values()].filter(isHeld).length, 252)
})

test('who is away keeps an address and gets none', t => {
  const away = { isAway: true, node: 'n2' }
  const leases = [lease('a', '10.0.1.2')]
  t.deepEqual(step({ leases, wants: [want('a', away), want('b', away)] }).writes, [])
})

test('what endpoints of others have is not given, and a network that is gone keeps nothing', t => {
  const inUse = [{ address: '10.0.1.3', node: 'n1', stamp: 1n }]
  const leases = [lease('a', '10.0.1.2')]
  const wants = [want('a'), want('b')]
  t.deepEqual(givenBy(step({ inUse, leases, wants })), { b: '10.0.1.4' })
  const unwanted = new Map([['a', NOW_MS - FREE_DELAY_MS]])
  t.deepEqual(step({ network: null, leases }, unwanted).writes, [{ key: 'a', value: null }])
})

test('while a manager is missing it is said that only a part may be given', t => {
  const share = (address: number): boolean => address % 2 === 0
  const keys = ['a', 'b', 'c', 'd']
  const { lacks, writes } = step({ network: SMALL, wants: keys.map(key => want(key)), share })
  t.deepEqual(writes.map(({ value }) => value!.address), ['10.0.1.6', '10.0.1.2', '10.0.1.4'])
  t.true(writes.every(({ value }) => value!.apart))
  t.regex(lacks.get('d')!, /3 are used .* while a manager is missing, only a part/)
})

const manager = (id: string, isAlive = true): NodeFact =>
  ({ id, name: id, role: 'manager', isAlive, availability: 'active', labels: {} })

test('every address of a subnet is one manager\'s to give', t => {
  const ids = ['m1', 'm2', 'm3']
  for (const cidr of ['10.0.1.0/24', '10.4.0.0/16', '10.0.1.0/29']) {
    const subnet = parseCidr(cidr)
    const shares = ids.map(id => shareOf('net', subnet, ids, id))
    const counts = ids.map(() => 0)
    for (let address = subnet.network; address <= subnet.last; address += 1) {
      const owners = shares.map(share => share(address)).map((own, i) => own ? i : -1)
        .filter(i => i >= 0)
      t.is(owners.length, 1, formatIpv4(address))
      counts[owners[0]!]! += 1
    }
    const size = subnet.last - subnet.network + 1
    if (size >= BLOCKS_MAX / 2) t.true(counts.every(n => n > size / 5 && n < size / 2), `${counts}`)
  }
})

test('the allocator is a manager that is here', t => {
  const nodes = [manager('m1'), manager('m2'), { ...manager('w'), role: 'worker' as const }]
  const first = allocatorOf('net', nodes)!
  t.regex(first, /^m/)
  const without = nodes.map(node => node.id === first ? { ...node, isAlive: false } : node)
  t.regex(allocatorOf('net', without)!, /^m/)
  t.not(allocatorOf('net', without), first)
  t.deepEqual(missingManagers(without).map(({ id }) => id), [first])
  t.is(allocatorOf('net', [nodes[2]!]), null)
})

test('whatever the rows say, no address is given twice, and one step is enough', t => {
  const key = fc.constantFrom(...'abcdefghij')
  const host = fc.integer({ min: 0, max: 9 })
  const any = fc.record({
    wants: fc.uniqueArray(key), split: fc.boolean(),
    leases: fc.uniqueArray(fc.record({ key, host, turn: fc.integer({ min: 0, max: 9 }),
      freed: fc.boolean(), age: fc.integer({ min: 0, max: 100 }) }), { selector: one => one.key }),
    inUse: fc.array(fc.record({ host, node: fc.constantFrom('n1', 'n2') }), { maxLength: 3 }),
  })
  fc.assert(fc.property(any, ({ inUse, leases, split, wants }) => {
    const share = split ? (address: number): boolean => address % 2 === 0 : null
    let rows = leases.map(({ age, freed, host, key, turn }) =>
      lease(key, `10.0.1.${host}`, { turn, freed }, NOW_MS - age * 1000))
    const facts = { network: SMALL, wants: wants.map(key => want(key)), share,
      inUse: inUse.map(({ host, node }) => ({ address: `10.0.1.${host}`, node, stamp: 0n })) }
    const unwanted = new Map(rows.map(({ key }) => [key, 0]))
    const first = step({ ...facts, leases: rows }, unwanted)
    const written = new Map(first.writes.map(({ key, value }) => [key, value]))
    rows = [...rows.filter(({ key }) => !written.has(key)), ...[...written]
      .flatMap(([key, value]) => value === null ? [] : [lease(key, value.address, value)])]
    const held = rows.filter(isHeld).filter(({ key }) => !first.lacks.has(key))
      .map(({ address }) => address)
    t.is(new Set(held).size, held.length)
    const [gateway, last] = [parseIpv4('10.0.1.1'), parseIpv4('10.0.1.7')]
    for (const address of held.map(parseIpv4)) t.true(address > gateway && address < last)
    const again = step({ ...facts, leases: rows }, unwanted)
    // The row that said where the order goes on may go, now that another one does; and who found
    // the own address with somebody who is gone now gets it back.
    for (const { key, value } of again.writes) t.true(value === null || first.lacks.has(key))
    for (const key of again.lacks.keys()) t.true(first.lacks.has(key))
  }), { numRuns: 2000 })
})
