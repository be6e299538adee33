// The way of tasks out of the cluster: a gateway network between each of them and its host, which
// no other node knows of. docs/decisions/0023 says why it is made of veth pairs.
//
// What it changes on the host stands in the state file before it is changed. The host's side is
// there while a daemon runs, and stays without one as long as a task has a plug in it.
import type { Clock } from '../base/clock.ts'
import { AbsentError } from '../base/errors.ts'
import { makeTaskId } from '../base/ids.ts'
import { formatIpv4, macOfAddress, parseCidr, parseIpv4 } from '../base/text.ts'
import { AddressPool } from '../cluster/ipam.ts'
import { takenByNetwork } from '../cluster/subnets.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import { changeNft, nftGeneration, openNftables } from '../kernel/nft.ts'
import type { Core } from './core.ts'
import { netnsOf } from './endpoints.ts'
import { hostSubnets } from './host-subnets.ts'
import { INGRESS_DEVICE } from './ingress-device.ts'
import { leadOutside } from './outside.ts'
import type { NetworkRecord, PlugRecord, TaskRecord, WayOutRecord } from './state.ts'
import {
  GATEWAY_DEVICE, type GatewayAddress, removeGatewayDevice, removePlug, setGatewayDevice, setPlug,
} from './way-out-devices.ts'
import { WayOutFaults } from './way-out-faults.ts'
import { HOST_END_PREFIX, noRules, wayOutRules } from './way-out-rules.ts'
import { chooseWayOutSubnet } from './way-out-subnet.ts'
import { areOpen, closedUplinks, closeUplinks, openUplinks } from './way-out-uplinks.ts'

/** Of the task's id in the name of the host's end: with the prefix it is as long as may be. */
const DEVICE_DIGITS = 12
/** Docker's ingress has the second address on each node, and tasks those from the third on. */
const KEPT_ADDRESS = 2

export class WayOut {
  readonly faults: WayOutFaults
  readonly #core: Core
  readonly #host: Rtnetlink
  readonly #clock: Clock
  #pool: AddressPool | null = null
  #nftables: Rtnetlink | undefined
  /** Of the packet filter, after our last change of it. */
  #generation = -1
  #opening: Promise<boolean> | undefined
  /** Whether our rules are those for tasks. */
  #isForTasks = false

  /** @param host a netlink socket in the machine's own namespace */
  constructor(core: Core, host: Rtnetlink, clock: Clock) {
    this.#core = core
    this.#host = host
    this.#clock = clock
    this.faults = new WayOutFaults(core.log)
  }

  /** Whether a task of these networks gets a way out. */
  isFor(networks: readonly NetworkRecord[]): boolean {
    return this.#core.config.wayOut.enabled && this.#core.state.wayOut?.isStanding === true
      && leadOutside(networks)
  }

  /** @throws LimitError when no address is free */
  plan(taskId: string, device: string): PlugRecord {
    const wayOut = this.#core.state.wayOut!
    const pool = this.#poolOf(wayOut)
    const address = pool.allocate(this.#clock.nowMs())
    wayOut.lastGiven = address
    return {
      interface: device, address: formatIpv4(address), mac: macOfAddress(address),
      device: `${HOST_END_PREFIX}${taskId.slice(0, DEVICE_DIGITS)}`,
    }
  }

  /** Give the task its plug. A host that does not let us is told of, and the task does without. */
  async attach(task: TaskRecord): Promise<void> {
    const { wayOut } = this.#core.state
    if (task.wayOut === null || wayOut === null) return
    if (this.#opening === undefined || !this.#isForTasks) await this.#makeOpen(wayOut)
    try {
      await setPlug(this.#host, netnsOf(task), task.wayOut, gatewayOf(wayOut), this.#opening!)
    } catch (error) {
      this.faults.tell('devices', error)
    }
  }

  /** Take it away. */
  async detach(task: TaskRecord): Promise<void> {
    const { wayOut } = this.#core.state
    const plug = task.wayOut
    if (plug === null || wayOut === null) return
    await removePlug(this.#host, plug)
    task.wayOut = null
    this.#poolOf(wayOut).release(parseIpv4(plug.address), this.#clock.nowMs())
  }

  /** A change: the host's side is made, or what somebody took away of it is made again. */
  async look(): Promise<void> {
    this.faults.retry('devices')
    if (!this.#isUsed()) await this.#choose()
    const { wayOut } = this.#core.state
    if (wayOut === null || !wayOut.isStanding) return
    if (this.#opening !== undefined && await this.#isOpen(wayOut)) await this.#hold(wayOut)
    else await this.#makeOpen(wayOut)
    await this.#opening
  }

  /** A change: the daemon ends. */
  async end(): Promise<void> {
    if (!this.#isUsed()) await this.#takeDown()
    this.#nftables?.close()
  }

  /** Choose a subnet while none is in use, by what the machine uses itself now. */
  async #choose(): Promise<void> {
    const { config, state } = this.#core
    if (!config.wayOut.enabled) return this.#takeDown()
    try {
      const subnet = chooseWayOutSubnet([...await hostSubnets(this.#host, GATEWAY_DEVICE),
        ...state.networks.map(({ name, subnet: one }) => takenByNetwork(one, name))],
      config.wayOut.subnet)
      this.faults.heal('subnet')
      if (state.wayOut?.isStanding === true && state.wayOut.subnet === subnet) return
      await this.#takeDown()
      this.#stand(subnet)
    } catch (error) {
      await this.#takeDown()
      this.faults.tell('subnet', error)
    }
  }

  /** From here on things of it may be in the kernel. */
  #stand(subnet: string): void {
    const { state } = this.#core
    if (state.wayOut?.subnet !== subnet) {
      this.#pool = null
      state.wayOut = { id: makeTaskId(), createdAt: new Date(this.#clock.wallMs()).toISOString(),
        subnet, lastGiven: null, isStanding: true, opened: [] }
    }
    state.wayOut.isStanding = true
    this.#core.save()
  }

  /** Routes to tasks name the gateway's address; the packet filter may come a little later. */
  async #makeOpen(wayOut: WayOutRecord): Promise<void> {
    await this.#hold(wayOut)
    this.#isForTasks = this.#isUsed()
    // One after the other, so that the rules of the last one stay.
    this.#opening = Promise.resolve(this.#opening).then(() => this.#open(wayOut))
  }

  async #hold(wayOut: WayOutRecord): Promise<void> {
    try {
      await setGatewayDevice(this.#host, gatewayOf(wayOut))
    } catch (error) {
      this.faults.tell('devices', error)
    }
  }

  #isUsed(): boolean {
    return this.#core.state.tasks.some(task => task.wayOut !== null)
  }

  async #isOpen({ opened }: WayOutRecord): Promise<boolean> {
    if (this.faults.has('filter') || this.#isForTasks !== this.#isUsed()) return false
    try {
      const wanted = await closedUplinks(this.#host, opened)
      return wanted.length === opened.length && areOpen(opened)
        && await nftGeneration(this.#filter()) === this.#generation
    } catch {
      return false // it is tried again from the beginning, which tells what is wrong
    }
  }

  /** Let packets through. @returns false, and the reason is told, when that cannot be */
  async #open(wayOut: WayOutRecord): Promise<boolean> {
    try {
      wayOut.opened = await closedUplinks(this.#host, wayOut.opened)
      this.#core.save()
      const generation = await nftGeneration(this.#filter())
      const { port: udpPort } = this.#core.config.underlay
      const { subnet, opened } = wayOut
      await changeNft(wayOutRules({ subnet, opened, ingressDevice: INGRESS_DEVICE, udpPort,
        isUsed: this.#isForTasks }))
      this.#generation = generation + 1
      openUplinks(wayOut.opened) // after the rules, which keep others out
      this.faults.heal('filter')
      return true
    } catch (error) {
      this.faults.tell('filter', error)
      return false
    }
  }

  async #takeDown(): Promise<void> {
    const { wayOut } = this.#core.state
    this.#opening = undefined
    if (wayOut === null || !wayOut.isStanding) return
    try {
      await removeGatewayDevice(this.#host)
      closeUplinks(wayOut.opened)
      await changeNft(noRules()).catch(error => {
        if (!(error instanceof AbsentError)) throw error // else we have made no rules either
      })
      wayOut.opened = []
      wayOut.isStanding = false
      this.#core.save()
    } catch (error) {
      this.faults.tell('filter', error)
    }
  }

  #filter(): Rtnetlink {
    this.#nftables ??= openNftables()
    return this.#nftables
  }

  #poolOf({ lastGiven, subnet }: WayOutRecord): AddressPool {
    this.#pool ??= makePool(subnet, lastGiven, this.#core)
    return this.#pool
  }
}

export function gatewayOf({ subnet }: Pick<WayOutRecord, 'subnet'>): GatewayAddress {
  const address = parseCidr(subnet).network + 1
  return { subnet, address: formatIpv4(address), mac: macOfAddress(address) }
}

function makePool(text: string, lastGiven: number | null, { config, state }: Core): AddressPool {
  const subnet = parseCidr(text)
  const inUse = state.tasks.flatMap(task =>
    task.wayOut === null ? [] : [parseIpv4(task.wayOut.address)])
  return new AddressPool(subnet, subnet.network + 1, { last: lastGiven ?? subnet.network,
    taken: [subnet.network + KEPT_ADDRESS, ...inUse] }, config.addresses.restSeconds * 1000)
}
