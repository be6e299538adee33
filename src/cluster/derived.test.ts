// What two halves of a split must compute alike.
import test from 'ava'
import fc from 'fast-check'
import { cidrsOverlap, parseCidr } from '../base/text.ts'
import { deriveSubnet, deriveVni, rendezvousFirst, settleNetworks } from './derived.ts'
import { takenByNetwork, takenByRoute, VNI_INGRESS, VNI_MAX } from './subnets.ts'

test('a name has one VNI and one subnet, wherever they are computed', t => {
  t.is(deriveVni('web', () => false), deriveVni('web', () => false))
  t.not(deriveVni('web', () => false), deriveVni('db', () => false))
  t.deepEqual(deriveSubnet('web', []), deriveSubnet('web', []))
  t.not(deriveSubnet('web', []).subnet, deriveSubnet('db', []).subnet)
})

test('what is taken is passed over, and told', t => {
  const first = deriveVni('web', () => false)
  t.not(deriveVni('web', vni => vni === first), first)
  const { subnet } = deriveSubnet('web', [])
  const second = deriveSubnet('web', [takenByNetwork(subnet, 'other'),
    takenByRoute('0.0.0.0/0', 'eth0')])
  t.not(second.subnet, subnet)
  t.deepEqual(second.skipped, [{ subnet, reason: 'network other' }])
  t.throws(() => deriveVni('web', () => true), { code: 'TM_LIMIT' })
  t.throws(() => deriveSubnet('web', [takenByRoute('10.0.0.0/8', 'eth0')]), { code: 'TM_LIMIT' })
})

test('every VNI and subnet is one that can be used', t => {
  fc.assert(fc.property(fc.string(), name => {
    const vni = deriveVni(name, () => false)
    t.true(vni > VNI_INGRESS && vni <= VNI_MAX)
    const cidr = parseCidr(deriveSubnet(name, []).subnet)
    t.true(cidrsOverlap(cidr, parseCidr('10.0.0.0/8')))
    t.false(cidrsOverlap(cidr, parseCidr('10.0.0.0/24')))
  }), { numRuns: 200 })
})

const claim = (name: string, vni: number, subnet: string, createdAt: string) =>
  ({ id: `id-${name}`, name, vni, subnet, createdAt })

test('of two networks with one VNI the older keeps it, in whatever order they are seen', t => {
  const older = claim('a', 5000, '10.0.1.0/24', '2026-01-01T00:00:00Z')
  const younger = claim('b', 5000, '10.0.1.128/25', '2026-01-02T00:00:00Z')
  const settled = settleNetworks([younger, older])
  t.deepEqual(settled, settleNetworks([older, younger]))
  t.deepEqual(settled.map(({ name, overlaps }) => [name, overlaps]), [['a', null], ['b', 'a']])
  t.is(settled[0]!.vni, 5000)
  t.is(settled[1]!.vni, deriveVni('b', vni => vni === 5000))
})

test('settled VNIs are different and do not depend on the order', t => {
  const claims = fc.array(fc.record({
    id: fc.string({ minLength: 1 }), name: fc.string({ minLength: 1 }),
    vni: fc.integer({ min: 4097, max: 4105 }),
    subnet: fc.constantFrom('10.0.1.0/24', '10.0.2.0/24'),
    createdAt: fc.constantFrom('2026-01-01', '2026-01-02'),
  }), { maxLength: 30 })
  fc.assert(fc.property(claims, list => {
    const one = list.filter((claim, n) => list.findIndex(other => other.id === claim.id) === n)
    const settled = settleNetworks(one)
    t.is(new Set(settled.map(({ vni }) => vni)).size, one.length)
    t.deepEqual(settled, settleNetworks([...one].reverse()))
  }), { numRuns: 200 })
})

test('work falls on one node, and on another only when that one goes', t => {
  const nodes = ['n1', 'n2', 'n3', 'n4', 'n5']
  t.is(rendezvousFirst('x', []), null)
  const counts = new Map<string, number>()
  for (let i = 0; i < 1000; i++) {
    const first = rendezvousFirst(`work ${i}`, nodes)!
    counts.set(first, (counts.get(first) ?? 0) + 1)
    t.is(rendezvousFirst(`work ${i}`, [...nodes].reverse()), first)
    const gone = nodes.find(node => node !== first)!
    t.is(rendezvousFirst(`work ${i}`, nodes.filter(node => node !== gone)), first)
  }
  for (const node of nodes) t.true(counts.get(node)! > 140, `${node}: ${counts.get(node)}`)
})
