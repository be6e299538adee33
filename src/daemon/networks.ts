// Networks of this node: their subnet, VNI and MTU, and the addresses given in them.
import { deriveSubnet, deriveVni } from '../cluster/derived.ts'
import { AddressPool } from '../cluster/ipam.ts'
import {
  checkSubnet, checkVni, chooseIngressSubnet, chooseSubnet, INGRESS_NETWORK, nextVni, type Taken,
  takenByNetwork, VNI_INGRESS,
} from '../cluster/subnets.ts'
import { type Clock } from '../base/clock.ts'
import { ConflictError, LimitError, UsageError } from '../base/errors.ts'
import { findNamed, makeObjectId } from '../base/ids.ts'
import { cidrHas, formatCidr, formatIpv4, parseCidr, parseIpv4 } from '../base/text.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import { NETWORKS_MAX } from '../path/image.ts'
import { VXLAN_OVERHEAD_OCTETS } from '../wire/vxlan.ts'
import { encodeRow, networkIdOf, TABLE_NETWORK } from './shared-rows.ts'
import type { Core } from './core.ts'
import { hostSubnets, subnetsElsewhere } from './host-subnets.ts'
import type { Attachment } from './lease-desk.ts'
import { MTU_MIN_OCTETS } from './path-mtu.ts'
import type { EndpointRecord, NetworkRecord } from './state.ts'
import type { NetworkSpec, NetworkView } from './views.ts'
import { memberRows } from './compile.ts'
import { checkUnused, peersOf } from './network-users.ts'
import { sharedRow } from './shared-networks.ts'
import { endpointView } from './task-view.ts'
import { checkNetworkName, checkNotGateway } from './way-out-show.ts'

export class Networks {
  readonly #core: Core
  readonly #host: Rtnetlink
  readonly #clock: Clock
  readonly #pools = new Map<string, AddressPool>()

  /** @param host a netlink socket in the machine's own namespace */
  constructor(core: Core, host: Rtnetlink, clock: Clock) {
    this.#core = core
    this.#host = host
    this.#clock = clock
    for (const network of core.state.networks) {
      if (network.scope === 'local') this.#pools.set(network.id, poolOf(core, network))
    }
  }

  list(): NetworkView[] {
    return this.#core.state.networks.map(network => this.view(network))
  }

  find(which: string): NetworkRecord {
    return findNamed('network', this.#core.state.networks, which)
  }

  async create(spec: NetworkSpec): Promise<NetworkView> {
    const { state } = this.#core
    checkNetworkName(spec.name)
    if (spec.name === INGRESS_NETWORK) {
      throw new ConflictError(`"${spec.name}" is the network of published ports; it is made with `
        + 'the first of them, so choose another name', { name: spec.name })
    }
    if (state.networks.some(network => network.name === spec.name)) {
      throw new ConflictError(`there is a network "${spec.name}" already`, { name: spec.name })
    }
    if (state.networks.length >= NETWORKS_MAX) {
      throw new LimitError(`this node has ${NETWORKS_MAX} networks, which is the most it can serve`)
    }
    const network = await this.#plan(spec)
    const { link: cluster } = this.#core
    if (cluster !== null) {
      cluster.checkManager('create networks')
      cluster.write([{ table: TABLE_NETWORK, key: network.id,
        value: encodeRow(sharedRow(network, spec)) }])
      return this.view(this.find(network.id)) // following the tables has made it ours
    }
    state.networks.push(network)
    try {
      this.#core.checkMembers()
      this.#pools.set(network.id, poolOf(this.#core, network))
      this.#core.save()
    } catch (error) {
      state.networks.pop()
      this.#pools.delete(network.id)
      throw error
    }
    this.#core.publish()
    this.#core.log.info({ network: network.name, vni: network.vni, subnet: network.subnet },
      'network created')
    return this.view(network)
  }

  /** The network of published ports, which the first one of a cluster brings with it. */
  async makeIngress(): Promise<void> {
    const { link: cluster, log } = this.#core
    if (cluster === null || cluster.records.networks.has(networkIdOf(INGRESS_NETWORK))) return
    const spec = { name: INGRESS_NETWORK, labels: {}, attachable: false, internal: false }
    const network = await this.#plan(spec, true)
    cluster.write([{ table: TABLE_NETWORK, key: network.id,
      value: encodeRow(sharedRow(network, spec)) }])
    log.info({ network: network.name, subnet: network.subnet }, 'network of published ports made')
  }

  remove(which: string): void {
    checkNotGateway(this.#core, which)
    const network = this.find(which)
    checkUnused(this.#core, network)
    const { link: cluster } = this.#core
    if (network.scope === 'swarm' && cluster !== null) {
      cluster.checkManager('remove networks')
      return cluster.write([{ table: TABLE_NETWORK, key: network.id, value: null }])
    }
    this.drop(network)
  }

  /** A network of the cluster's tables becomes one of this node, or has changed there. */
  adopt(record: Omit<NetworkRecord, 'lastGiven'>): void {
    const { state } = this.#core
    const known = state.networks.find(network => network.id === record.id)
    if (known !== undefined) {
      Object.assign(known, record)
      return
    }
    state.networks.push({ ...record, lastGiven: null })
  }

  /** A network of the cluster becomes one of this node alone, with the addresses that it has. */
  own(network: NetworkRecord): void {
    network.scope = 'local'
    for (const endpoint of this.#core.state.tasks.flatMap(task => task.endpoints)) {
      if (endpoint.network === network.id) endpoint.lease = null
    }
    this.#pools.set(network.id, poolOf(this.#core, network))
  }

  /** Forget a network that nothing uses here. */
  drop(network: NetworkRecord): void {
    const { state } = this.#core
    state.networks.splice(state.networks.indexOf(network), 1)
    state.vteps = state.vteps.filter(vtep => vtep.network !== network.id)
    this.#pools.delete(network.id)
    this.#core.save()
    this.#core.publish()
    this.#core.log.info({ network: network.name, vni: network.vni }, 'network removed')
  }

  /**
   * Take an address of a network of this node alone, the one asked for or the next;
   * releaseAddress() gives it back. In a network of the cluster it must have been given by a lease.
   */
  takeAddress(network: NetworkRecord, wanted: Pick<Attachment, 'address' | 'lease'>,
  ): Pick<EndpointRecord, 'address' | 'lease'> {
    const { address: named, lease } = wanted
    const pool = this.#pools.get(network.id)
    if (pool === undefined) {
      if (named !== undefined && lease !== undefined) return { address: named, lease }
      throw new ConflictError(`network "${network.name}" has just become one of the cluster; `
        + 'try again', { network: network.name })
    }
    if (named !== undefined) {
      pool.claim(parseIpv4(named))
      return { address: named, lease: null }
    }
    const address = pool.allocate(this.#clock.nowMs())
    network.lastGiven = pool.state().last
    return { address: formatIpv4(address), lease: null }
  }

  releaseAddress(networkId: string, address: string): void {
    this.#pools.get(networkId)?.release(parseIpv4(address), this.#clock.nowMs())
  }

  view(record: NetworkRecord): NetworkView {
    const { state, link: cluster } = this.#core
    const network = this.#core.inUse(record)
    const { lastGiven: _, ...shown } = network
    return {
      ...shown,
      driver: 'overlay',
      ingress: network.vni === VNI_INGRESS,
      peers: cluster === null || network.scope === 'local' ? [] : peersOf(cluster, network.id),
      endpoints: state.tasks.flatMap(task => task.endpoints
        .filter(endpoint => endpoint.network === network.id)
        .map(endpoint => endpointView(task, endpoint, network))),
      vteps: memberRows(state.vteps, network, 0).map(row => formatIpv4(row.address)),
    }
  }

  async #plan(spec: NetworkSpec, isIngress = false): Promise<NetworkRecord> {
    const { state, underlay } = this.#core
    const taken = await this.#taken()
    const vnis = state.networks.map(network => network.vni)
    const { link: cluster } = this.#core
    // Halves of a split that create the same network are to agree: then both follow its name.
    const derived = cluster !== null && cluster.isSplit
    const mtuMax = underlay.mtu - VXLAN_OVERHEAD_OCTETS
    const mtu = spec.mtu ?? mtuMax
    if (mtu < MTU_MIN_OCTETS || mtu > mtuMax) {
      throw new UsageError(`--mtu ${mtu}: it is ${MTU_MIN_OCTETS} to ${mtuMax} here, `
        + `for the underlay ${underlay.device} carries ${underlay.mtu} `
        + `and VXLAN takes ${VXLAN_OVERHEAD_OCTETS}`, { mtu })
    }
    if (spec.vni !== undefined) {
      checkVni(spec.vni, state.networks.map(({ vni, name }) => ({ vni, network: name })))
    }
    if (spec.subnet !== undefined) checkSubnet(spec.subnet, taken)
    const choice = isIngress ? chooseIngressSubnet(taken) : spec.subnet === undefined
      ? derived ? deriveSubnet(spec.name, taken) : chooseSubnet(taken)
      : { subnet: formatCidr(parseCidr(spec.subnet)), skipped: [] }
    return {
      id: cluster === null ? makeObjectId() : networkIdOf(spec.name),
      name: spec.name,
      scope: cluster === null ? 'local' : 'swarm',
      createdAt: new Date(this.#clock.wallMs()).toISOString(),
      subnet: choice.subnet,
      gateway: gatewayOf(choice.subnet, spec.gateway),
      vni: isIngress ? VNI_INGRESS : spec.vni
        ?? (derived ? deriveVni(spec.name, vni => vnis.includes(vni)) : nextVni(vnis)),
      mtu,
      labels: spec.labels,
      attachable: spec.attachable,
      internal: spec.internal,
      skipped: [...choice.skipped],
      lastGiven: null,
    }
  }

  /** Subnets that cannot be used here or on another node, each with the reason. */
  async #taken(): Promise<Taken[]> {
    const { link: cluster, state } = this.#core
    const own = state.networks.map(one => takenByNetwork(one.subnet, one.name))
    const elsewhere = cluster === null ? [] : subnetsElsewhere(cluster.records, cluster.nodeId)
    return [...own, ...await hostSubnets(this.#host), ...elsewhere]
  }
}

function gatewayOf(subnet: string, wanted: string | undefined): string {
  const cidr = parseCidr(subnet)
  const address = wanted === undefined ? cidr.network + 1 : parseIpv4(wanted)
  if (!cidrHas(cidr, address) || address === cidr.network || address === cidr.last) {
    throw new UsageError(`gateway ${formatIpv4(address)} is no host address of ${subnet}`)
  }
  return formatIpv4(address)
}

function poolOf(core: Core, network: NetworkRecord): AddressPool {
  const taken = core.state.tasks.flatMap(task => task.endpoints)
    .filter(endpoint => endpoint.network === network.id)
    .map(endpoint => parseIpv4(endpoint.address))
  const subnet = parseCidr(network.subnet)
  const last = network.lastGiven ?? subnet.network
  return new AddressPool(subnet, parseIpv4(network.gateway), { last, taken },
    core.config.addresses.restSeconds * 1000)
}
