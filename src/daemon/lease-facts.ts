// Addresses of the cluster as its records tell them: who wants one, who has one, and why somebody
// has none. Every node finds the same; the allocator of a network acts on it (lease-keeper.ts).
import type { Lease, AddressInUse } from '../cluster/services/lease-space.ts'
import { allocatorOf, missingManagers, shareOf } from '../cluster/services/lease-share.ts'
import { type Want, type Wanting, wantsByNetwork } from '../cluster/services/lease-wants.ts'
import { isHeld, type LeaseFacts, leaseStep } from '../cluster/services/leases.ts'
import type { NodeFact, ServiceFact } from '../cluster/services/facts.ts'
import { leaseKey, parseLeaseKey } from '../cluster/services/rows.ts'
import { leaseSlot, leaseSlots } from '../cluster/services/slots.ts'
import { VNI_INGRESS } from '../cluster/subnets.ts'
import { parseCidr } from '../base/text.ts'
import { nodeFacts, serviceFacts, taskFacts } from './cluster-facts.ts'
import type { ClusterRecords } from './cluster-records.ts'
import { ownerOf } from './shared-rows.ts'

/** Everything about leases that the records say, by the id of the network. */
export type LeaseBook = Readonly<{
  records: ClusterRecords
  nodes: readonly NodeFact[]
  wants: ReadonlyMap<string, readonly Want[]>
  leases: ReadonlyMap<string, readonly Lease[]>
  inUse: ReadonlyMap<string, readonly AddressInUse[]>
}>

/** Stamps are milliseconds and a counter. */
const COUNTER_BITS = 16n

export function leaseBook(records: ClusterRecords): LeaseBook {
  const nodes = nodeFacts(records)
  return {
    records, nodes, wants: wantsByNetwork(wantingOf(records, nodes)),
    leases: Map.groupBy(records.leases.values(), ({ key }) => parseLeaseKey(key)?.network ?? ''),
    inUse: new Map([...Map.groupBy(records.endpoints.values(), endpoint => endpoint.network)]
      .map(([id, rows]) => [id, rows.map(({ address, key, stamp }) =>
        ({ address, node: ownerOf(key), stamp }))])),
  }
}

/** Ids of the networks that have leases, or are to have some. */
export function leasedNetworks({ leases, wants }: LeaseBook): Set<string> {
  const ids = new Set([...wants.keys(), ...leases.keys()])
  ids.delete('') // a key that is none
  return ids
}

/** What the step over a network is taken over. @param allocator who gives its addresses */
export function leaseFacts(book: LeaseBook, networkId: string, allocator: string): LeaseFacts {
  const network = book.records.networks.get(networkId) ?? null
  const managers = book.nodes.filter(node => node.role === 'manager').map(node => node.id)
  const isApart = network !== null && missingManagers(book.nodes).length > 0
  return {
    network, wants: book.wants.get(networkId) ?? [], leases: book.leases.get(networkId) ?? [],
    inUse: book.inUse.get(networkId) ?? [],
    share: isApart ? shareOf(networkId, parseCidr(network.subnet), managers, allocator) : null,
  }
}

/**
 * Who is to have an address of this network and has none: keys of leases, each with the reason. One
 * that is about to get it is not among them.
 */
export function lacksOf(book: LeaseBook, networkId: string, wallMs: number, restMs?: number,
): ReadonlyMap<string, string> {
  const allocator = allocatorOf(networkId, book.nodes)
  if (allocator !== null) {
    return leaseStep(leaseFacts(book, networkId, allocator), new Map(), wallMs, restMs).lacks
  }
  const { records } = book
  const name = records.networks.get(networkId)?.name ?? networkId
  const without = (book.wants.get(networkId) ?? []).filter(({ key }) =>
    !isHeld(records.leases.get(key)))
  return new Map(without.map(({ key }) =>
    [key, `no manager is here to give an address of network ${name}; see: tapmesh node ls`]))
}

/** Why a lease of a network is not given, by its key; null: it is about to be. Looked up once. */
export function lackFinder(records: ClusterRecords, wallMs: number, restMs: number,
): (network: string, key: string) => string | null {
  const known = new Map<string, ReadonlyMap<string, string>>()
  return (network, key) => {
    const lacks = known.get(network) ?? lacksOf(leaseBook(records), network, wallMs, restMs)
    known.set(network, lacks)
    return lacks.get(key) ?? null
  }
}

export type SlotAddress = Readonly<{
  network: string
  /** null: it has none */
  address: string | null
  /** Why it has none; null also while it is about to be given. */
  reason: string | null
}>

/** The addresses of a slot on each network of its service. @param side see leaseSlot() */
export function slotAddresses(records: ClusterRecords, service: Pick<ServiceFact, 'id' | 'spec'>,
  slot: string, side: number, wallMs: number): SlotAddress[] {
  let book: LeaseBook | undefined
  return service.spec.task.networks.map(({ id: network }) => {
    const key = leaseKey(network,
      { kind: 'slot', service: service.id, slot: leaseSlot(slot, side) })
    const lease = records.leases.get(key)
    if (isHeld(lease)) return { network, address: lease.address, reason: null }
    if (!records.networks.has(network)) {
      return { network, address: null, reason: `network ${network} is not there` }
    }
    book ??= leaseBook(records)
    return { network, address: null, reason: lacksOf(book, network, wallMs).get(key) ?? null }
  })
}

function wantingOf(records: ClusterRecords, nodes: readonly NodeFact[]): Wanting {
  const tasks = Map.groupBy(taskFacts(records), task => task.service)
  const nodeNetworks = new Set([...records.networks].filter(([, { vni }]) => vni === VNI_INGRESS)
    .map(([id]) => id))
  const services = serviceFacts(records).flatMap(service => {
    const { id, spec } = service
    const { createdAt } = records.services.get(id)!
    const own = spec.task.networks.map(network => network.id)
    const slots = leaseSlots(service, nodes, tasks.get(id) ?? [], records.rollouts.get(id))
    return [{ id, createdAt, networks: own, hasVip: spec.endpointMode === 'vip', slots }]
  })
  const requests = [...records.requests.values()]
    .map(({ hidden, key, network, stamp, wanted }) => ({
      node: ownerOf(key), request: key.slice(key.indexOf('/') + 1), network, wanted,
      createdAt: Number(stamp >> COUNTER_BITS), isAway: hidden,
    }))
  const joined = [...records.nodes].sort(([a, left], [b, right]) =>
    left.joinedAt === right.joinedAt ? (a < b ? -1 : 1) : left.joinedAt < right.joinedAt ? -1 : 1)
  return { services, requests, nodeNetworks,
    nodes: joined.map(([id, { hidden }]) => ({ id, isAway: hidden })) }
}
