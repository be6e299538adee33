// A small allocator for simulations of services: the first manager gives the lowest free addresses,
// and of two holders of one address the later in order gets another. The real one is leases.ts.
import { rendezvousFirst } from '../derived.ts'
import type { Write } from '../tables/events.ts'
import type { ServiceFacts } from './orders.ts'
import { type LeaseRow, leaseKey, TABLE_LEASE } from './rows.ts'
import { leaseSlots } from './slots.ts'

export function allocate(self: string, facts: ServiceFacts): Write[] {
  const managers = facts.nodes.filter(node => node.isAlive && node.role === 'manager')
    .map(node => node.id)
  if (rendezvousFirst('net', managers) !== self) return []
  const wanted = new Set(facts.services.filter(one => one.spec.task.networks.length > 0)
    .flatMap(service => leaseSlots(service, facts.nodes,
      facts.tasks.filter(task => task.service === service.id), facts.rollouts.get(service.id))
      .map(slot => leaseKey('net', { kind: 'slot', service: service.id, slot }))))
  const taken = new Set<string>()
  const writes: Write[] = []
  const without: string[] = []
  for (const key of [...wanted].sort()) {
    const address = facts.leases.get(key)?.address
    if (address === undefined || taken.has(address)) without.push(key)
    else taken.add(address)
  }
  let next = 2
  for (const key of without) {
    while (taken.has(addressOf(next))) next += 1
    const address = addressOf(next)
    taken.add(address)
    const row: LeaseRow = { address, apart: false, freed: false, turn: 0 } as LeaseRow
    writes.push({ table: TABLE_LEASE, key, value: new TextEncoder().encode(JSON.stringify(row)) })
  }
  for (const key of facts.leases.keys()) {
    if (!wanted.has(key)) writes.push({ table: TABLE_LEASE, key, value: null })
  }
  return writes
}

const addressOf = (n: number): string => `10.0.${n >> 8}.${n & 255}`
