// Networks that a living task gets or loses. What it is to have is written down first, so that a
// daemon that is killed meanwhile finishes a connect at its next start; a disconnect takes the
// device away first, and is then either done or not begun.
import { ConflictError, LimitError, NotFoundError } from '../base/errors.ts'
import { macOfAddress, parseIpv4 } from '../base/text.ts'
import type { Core } from './core.ts'
import { netnsOf, removeEndpoint } from './endpoints.ts'
import type { Attachment } from './lease-desk.ts'
import type { Networks } from './networks.ts'
import { leadOutside } from './outside.ts'
import type { EndpointRecord, NetworkRecord, TaskRecord } from './state.ts'
import { writeTaskFiles } from './task-files.ts'
import type { Tasks } from './tasks.ts'
import type { TaskView } from './views.ts'

export const NETWORKS_PER_TASK_MAX = 8

export class Attachments {
  readonly #core: Core
  readonly #networks: Networks
  readonly #tasks: Tasks

  constructor(core: Core, networks: Networks, tasks: Tasks) {
    this.#core = core
    this.#networks = networks
    this.#tasks = tasks
  }

  /** @throws ConflictError for a network that only tasks of services may join */
  checkAttachable(which: string): void {
    const network = this.#networks.find(which)
    if (network.attachable && !this.#networks.view(network).ingress) return
    throw new ConflictError(`network "${network.name}" is not attachable: only tasks of services `
      + 'may join it', { network: network.name })
  }

  /** A change: it is called in its turn. */
  async connect(which: string, name: string, wanted: Attachment): Promise<TaskView> {
    const network = this.#networks.find(which)
    this.checkAttachable(network.id)
    const task = this.#livingTask(name)
    if (task.endpoints.some(endpoint => endpoint.network === network.id)) {
      throw new ConflictError(`task "${task.name}" is in network "${network.name}" already`,
        { task: task.name, network: network.name })
    }
    if (task.endpoints.length >= NETWORKS_PER_TASK_MAX) {
      throw new LimitError(`task "${task.name}" is in ${NETWORKS_PER_TASK_MAX} networks, which is `
        + 'the most it can have', { task: task.name })
    }
    const endpoint = this.#plan(task, network, wanted)
    task.endpoints.push(endpoint)
    try {
      if (task.wayOut === null && this.#core.wayOut.isFor([network])) {
        task.wayOut = this.#core.wayOut.plan(task.id, freeInterface(task))
      }
      this.#core.save()
      await this.#tasks.attach(task)
    } catch (error) {
      await this.#letGo(task, endpoint)
      throw error
    }
    this.#core.log.info({ task: task.name, network: network.name, device: endpoint.interface,
      address: endpoint.address }, 'task connected to a network')
    return this.#tasks.view(task.id)
  }

  /** A change: it is called in its turn. */
  async disconnect(which: string, name: string): Promise<TaskView> {
    const network = this.#networks.find(which)
    const task = this.#livingTask(name)
    const endpoint = task.endpoints.find(one => one.network === network.id)
    if (endpoint === undefined) {
      throw new NotFoundError(`task "${task.name}" is not in network "${network.name}"`,
        { task: task.name, network: network.name })
    }
    await this.#letGo(task, endpoint)
    this.#core.log.info({ task: task.name, network: network.name }, 'task left a network')
    return this.#tasks.view(task.id)
  }

  #livingTask(name: string): TaskRecord {
    const task = this.#tasks.find(name)
    if (task.service !== null) {
      throw new ConflictError(`task "${task.name}" belongs to a service; change the networks of `
        + 'the service with: tapmesh service update --network-add, --network-rm',
      { task: task.name })
    }
    if (task.state === 'exited' || task.state === 'failed') {
      throw new ConflictError(`task "${task.name}" has ended and has no network any more`,
        { task: task.name })
    }
    return task
  }

  #plan(task: TaskRecord, network: NetworkRecord, wanted: Attachment): EndpointRecord {
    const port = this.#core.nextPort([])
    const { address, lease } = this.#networks.takeAddress(network, wanted)
    return {
      ...port, address, lease, network: network.id, interface: freeInterface(task),
      mac: macOfAddress(parseIpv4(address)),
    }
  }

  async #letGo(task: TaskRecord, endpoint: EndpointRecord): Promise<void> {
    this.#core.queueDrops.end(netnsOf(task), [endpoint])
    await removeEndpoint(netnsOf(task), endpoint)
    task.endpoints = task.endpoints.filter(other => other !== endpoint)
    await this.#endWayOut(task)
    writeTaskFiles(this.#core, task) // its hosts file names its addresses
    this.#core.taps.delete(endpoint.portId)
    this.#networks.releaseAddress(endpoint.network, endpoint.address)
    this.#core.save()
    writeTaskFiles(this.#core, task)
    this.#core.publish()
  }

  /** With the last network that leads out of the cluster ends the way out. */
  async #endWayOut(task: TaskRecord): Promise<void> {
    const left = this.#core.state.networks.filter(network =>
      task.endpoints.some(endpoint => endpoint.network === network.id))
    if (!leadOutside(left)) await this.#core.wayOut.detach(task)
  }
}

/** The first of eth0, eth1, … that the task does not have. */
function freeInterface({ endpoints, wayOut }: TaskRecord): string {
  const used = new Set([...endpoints.map(endpoint => endpoint.interface), wayOut?.interface])
  let n = 0
  while (used.has(`eth${n}`)) n++
  return `eth${n}`
}
