// Who wants an address of a network, in the order in which they get one: nodes on the ingress
// network, then by age services, each its own address before those of its slots, and requests.
import { leaseKey } from './rows.ts'

export type Want = Readonly<{
  /** leaseKey() of the holder */
  key: string
  /** The address that was named, or null for the next one. */
  named: string | null
  /** Id of the node whose own task it is for; null for services. */
  node: string | null
  /** Whoever wants it is not here: it keeps what it has, and gets nothing new. */
  isAway: boolean
}>

export type WantingService = Readonly<{
  id: string
  /** milliseconds since 1970 */
  createdAt: number
  /** Ids of its networks. */
  networks: readonly string[]
  hasVip: boolean
  /** As keys of leases name them. */
  slots: readonly string[]
}>

export type WantingRequest = Readonly<{
  node: string
  request: string
  network: string
  wanted: string | null
  /** milliseconds since 1970 */
  createdAt: number
  isAway: boolean
}>

export type Wanting = Readonly<{
  services: readonly WantingService[]
  requests: readonly WantingRequest[]
  /** Nodes that want an address of each of `nodeNetworks`, in the order in which they joined. */
  nodes: readonly Readonly<{ id: string; isAway: boolean }>[]
  nodeNetworks: ReadonlySet<string>
}>

/** What is wanted of each network, by its id. */
export function wantsByNetwork({ services, requests, nodes, nodeNetworks }: Wanting,
): Map<string, Want[]> {
  const wants = new Map<string, Want[]>()
  const add = (network: string, want: Want): void => {
    const known = wants.get(network)
    if (known === undefined) wants.set(network, [want])
    else known.push(want)
  }
  for (const network of nodeNetworks) {
    for (const { id, isAway } of nodes) {
      add(network, { key: leaseKey(network, { kind: 'node', node: id }), named: null, node: id,
        isAway })
    }
  }
  for (const one of [...services, ...requests].sort(byAge)) {
    if ('slots' in one) addService(one, add)
    else {
      const { isAway, network, node, request, wanted } = one
      add(network, { key: leaseKey(network, { kind: 'ask', node, request }), named: wanted, node,
        isAway })
    }
  }
  return wants
}

function addService({ hasVip, id, networks, slots }: WantingService,
  add: (network: string, want: Want) => void): void {
  const rest = { named: null, node: null, isAway: false }
  for (const network of networks) {
    if (hasVip) add(network, { key: leaseKey(network, { kind: 'vip', service: id }), ...rest })
    for (const slot of slots) {
      add(network, { key: leaseKey(network, { kind: 'slot', service: id, slot }), ...rest })
    }
  }
}

function byAge(a: WantingService | WantingRequest, b: WantingService | WantingRequest): number {
  return a.createdAt - b.createdAt || (idOf(a) < idOf(b) ? -1 : 1)
}

function idOf(one: WantingService | WantingRequest): string {
  return 'slots' in one ? one.id : `${one.node}/${one.request}`
}
