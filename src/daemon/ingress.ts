// Published ports on this node: when rows say that there are some, the host's kernel is made to
// lead them to the packet workers, and this node gets its address in the ingress network. When
// there are none any more, all of that goes.
import type { Log } from '../base/log.ts'
import { macOfAddress, parseIpv4 } from '../base/text.ts'
import { isHeld } from '../cluster/services/leases.ts'
import { leaseKey, type PublishedPort } from '../cluster/services/rows.ts'
import { VNI_INGRESS } from '../cluster/subnets.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { Core } from './core.ts'
import type { Exclusive } from './exclusive.ts'
import { beginForwarding, isForwarding, openIngress, steer, unsteer } from './ingress-device.ts'
import { IngressErrors } from './ingress-errors.ts'
import { IngressPorts } from './ingress-ports.ts'
import type { NetworkRecord } from './state.ts'

/** How often the kernel is looked at: it may have got an address, or lost a rule. */
export const INGRESS_LOOK_MS = 10_000
/** After a failure: a device that workers have not let go of yet, most times. */
const RETRY_MS = 300

export type IngressParts = Readonly<{
  core: Core
  /** A netlink socket in the machine's own namespace. */
  host: Rtnetlink
  changes: Exclusive
  log: Log
}>

/** What is to be; null: nothing. */
type Plan = Readonly<{
  network: NetworkRecord
  address: string
  ports: readonly (PublishedPort & { service: string })[]
}>

export class Ingress {
  readonly ports = new IngressPorts()
  readonly #parts: IngressParts
  readonly #errors: IngressErrors
  #timer: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #isPending = false
  #isStopped = false
  /** The cluster that is being left. */
  #left: ClusterLink | null = null
  /** The plan that the kernel follows; '' before anything was looked at. */
  #done = ''
  #told = ''

  constructor(parts: IngressParts) {
    this.#parts = parts
    this.#errors = new IngressErrors(parts.core, parts.log)
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), INGRESS_LOOK_MS)
    this.#timer.unref()
    this.follow()
  }

  /** Rows have changed. */
  follow(): void {
    if (JSON.stringify(this.#plan()) !== this.#done) this.look()
  }

  /** See that the kernel has what it is to have. */
  look(): void {
    if (this.#isPending || this.#isStopped) return
    this.#isPending = true
    void this.#parts.changes.runSurely(async () => {
      this.#isPending = false
      await this.#apply()
    }).catch(error => this.#failed(error))
  }

  /** This node is about to leave its cluster. */
  async leave(): Promise<void> {
    this.#left = this.#parts.core.link
    await this.#parts.changes.run(() => this.#clear())
  }

  /** The host is as it was before; a later daemon begins anew. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    clearTimeout(this.#retry)
    await this.#parts.changes.runSurely(async () => {
      await unsteer(this.#parts.host)
      this.ports.take([])
      this.#errors.take([])
    })
  }

  #plan(): Plan | null {
    const { core } = this.#parts
    const { link } = core
    if (link === null || link === this.#left) return null
    const network = core.networksInUse().find(one => one.vni === VNI_INGRESS)
    if (network === undefined || network.scope === 'local') return null
    const lease = link.records.leases
      .get(leaseKey(network.id, { kind: 'node', node: link.nodeId }))
    // Ports of mode "host" are those of tasks that are here.
    const ports = core.balancing.all.filter(({ networkId, row }) =>
      networkId === network.id && (row.address !== null || row.backends.length > 0))
      .flatMap(one => one.ports.map(port => ({ ...port, service: one.service.name })))
    return ports.length === 0 || !isHeld(lease) ? null : { network, address: lease.address, ports }
  }

  async #apply(): Promise<void> {
    if (this.#isStopped) return
    const plan = this.#plan()
    const text = JSON.stringify(plan)
    if (plan !== null) await this.#set(plan)
    else if (text !== this.#done) await this.#clear()
    this.#done = text
  }

  async #set({ network, address, ports }: Plan): Promise<void> {
    const { core, host, log } = this.#parts
    const place = { network: network.id, address, mac: macOfAddress(parseIpv4(address)) }
    const before = JSON.stringify(core.host)
    if (core.host === null || !core.taps.has(core.host.portId)) {
      const tap = await openIngress(host, core.tapKind)
      core.host = { ...place, ...core.nextPort([]) }
      core.taps.set(core.host.portId, tap)
      core.save()
    } else core.host = { ...core.host, ...place }
    if (JSON.stringify(core.host) !== before) core.publish()
    if (!isForwarding()) {
      beginForwarding()
      log.warn('this host passes packets on from now: published ports need net.ipv4.ip_forward')
    }
    const taken = this.ports.take(ports)
    await steer(host, core.host, network, taken)
    this.#errors.take(taken)
    this.#tell(ports)
  }

  async #clear(): Promise<void> {
    const { core, host } = this.#parts
    await unsteer(host)
    this.ports.take([])
    this.#errors.take([])
    this.#done = 'null'
    if (core.host === null) return
    core.taps.delete(core.host.portId)
    core.host = null
    core.publish() // the workers close the device, which goes with them
    this.#tell([])
  }

  #tell(ports: Plan['ports']): void {
    const { log } = this.#parts
    const refused = Object.fromEntries(this.ports.refused)
    const names = ports.map(({ protocol, published }) => `${published}/${protocol}`)
    const text = JSON.stringify([names, refused])
    if (text === this.#told) return
    this.#told = text
    log.info({ ports: names.join(' ') }, 'published ports')
    if (this.ports.refused.size > 0) {
      log.warn({ refused }, 'programs of this host have ports that are published')
    }
  }

  #failed(error: unknown): void {
    if (this.#isStopped) return
    this.#done = ''
    this.#parts.log.error({ err: error }, 'published ports are not served yet')
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.look(), RETRY_MS)
    this.#retry.unref()
  }
}
