// Networks of the cluster on this node: they follow the shared tables.
import { settleNetworks, type SettledNetwork } from '../cluster/derived.ts'
import { VXLAN_OVERHEAD_OCTETS } from '../wire/vxlan.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { NetworkRow } from './shared-rows.ts'
import type { Core } from './core.ts'
import type { Networks } from './networks.ts'
import type { NetworkRecord } from './state.ts'
import type { NetworkSpec } from './views.ts'

/** What goes into the tables when a network is created. */
export function sharedRow(network: NetworkRecord, spec: NetworkSpec): NetworkRow {
  const { name, subnet, gateway, vni, labels, createdAt, attachable, internal } = network
  return {
    name, subnet, gateway, vni, labels, createdAt, attachable, internal, mtu: spec.mtu ?? null,
  }
}

export class SharedNetworks {
  readonly #core: Core
  readonly #networks: Networks
  /** What was said already, so that it is said once. */
  readonly #told = new Map<string, string>()

  constructor(core: Core, networks: Networks) {
    this.#core = core
    this.#networks = networks
  }

  /** Make this node's networks what the tables say; one that a task has here stays. */
  follow(cluster: ClusterLink): void {
    const { state, log } = this.#core
    const claims = [...cluster.records.networks].map(([id, row]) => ({ ...row, id }))
    const settled = settleNetworks(claims)
    const kept = new Set<string>()
    for (const claim of settled) {
      const fault = this.#faultOf(claim)
      if (fault !== null) {
        this.#tell(claim.id, fault)
        continue
      }
      kept.add(claim.id)
      if (claim.overlaps !== null) {
        this.#tell(claim.id, `network ${claim.name} overlaps ${claim.overlaps}, `
          + 'made on the other side of a split; their tasks cannot be on one host')
      }
      this.#networks.adopt(this.#recordOf(claim))
    }
    for (const network of state.networks.slice()) {
      if (network.scope === 'local' || kept.has(network.id)) continue
      if (state.tasks.some(task => task.endpoints.some(e => e.network === network.id))) {
        this.#tell(network.id, `network ${network.name} was removed, but tasks here still have it`)
      } else {
        this.#networks.drop(network)
        log.info({ network: network.name }, 'network removed from the cluster')
      }
    }
  }

  /** The cluster is no more: networks that tasks here have become this node's own, others go. */
  release(): void {
    const { state } = this.#core
    for (const network of state.networks.filter(one => one.scope === 'swarm')) {
      const used = state.tasks.some(task => task.endpoints.some(e => e.network === network.id))
      if (used) this.#networks.own(network)
      else this.#networks.drop(network)
    }
    this.#told.clear()
    this.#core.save()
    this.#core.publish()
  }

  #recordOf(claim: SettledNetwork<NetworkRow & { id: string }>): Omit<NetworkRecord, 'lastGiven'> {
    const { id, name, subnet, gateway, vni, labels, createdAt, attachable, internal } = claim
    const known = this.#core.state.networks.find(network => network.id === id)
    const mtuMax = this.#core.underlay.mtu - VXLAN_OVERHEAD_OCTETS
    return {
      id, name, subnet, gateway, vni, labels, createdAt, attachable, internal, scope: 'swarm',
      skipped: known?.skipped ?? [], mtu: Math.min(claim.mtu ?? mtuMax, mtuMax),
    }
  }

  /** Why a network of the cluster cannot be used on this node; null when it can. */
  #faultOf({ id, name, vni }: NetworkRow & { id: string }): string | null {
    for (const own of this.#core.state.networks) {
      if (own.scope === 'swarm' || own.id === id) continue
      const what = own.name === name ? 'name' : own.vni === vni ? 'VNI' : null
      if (what === null) continue
      return `network ${name} of the cluster cannot be used here: the local network ${own.name} `
        + `has its ${what}; remove that one with: tapmesh network rm ${own.name}`
    }
    return null
  }

  #tell(id: string, text: string): void {
    if (this.#told.get(id) === text) return
    this.#told.set(id, text)
    this.#core.log.warn({ network: id }, text)
  }
}
