// Planning a task: what it is to have is checked and chosen before anything of it exists.
import { AbsentError, ConflictError, LimitError, UsageError } from '../base/errors.ts'
import { makeTaskId } from '../base/ids.ts'
import { macOfAddress, parseIpv4 } from '../base/text.ts'
import { leaseKey } from '../cluster/services/rows.ts'
import { leaseSlot } from '../cluster/services/slots.ts'
import { listNetns } from '../kernel/netns.ts'
import type { Core } from './core.ts'
import { netnsOf } from './endpoints.ts'
import type { Networks } from './networks.ts'
import { crunWords, searchPathOf } from './processes.ts'
import { HOST_ROOT, isDirectory, resolveProgram } from './rootfs.ts'
import type { EndpointRecord, PlugRecord, TaskRecord } from './state.ts'
import { resolveUser } from './task-user.ts'
import type { TaskSpec } from './views.ts'

export const TASKS_MAX = 1024
const WAY_OUT_INTERFACE = 'eth1'
/** See leaseSlot(). */
const SIDES = [0, 1]

/**
 * The record of a new task. Its addresses are taken from their networks; nothing else is touched.
 * @param wallMs when it is created, milliseconds since 1970
 * @throws LimitError, ConflictError or UsageError; no address stays taken then
 */
export function planTask(
  core: Core, networks: Networks, spec: TaskSpec, wallMs: number,
): TaskRecord {
  const { tasks } = core.state
  if (tasks.length >= TASKS_MAX) {
    throw new LimitError(`this node has ${TASKS_MAX} tasks, which is the most it can serve`)
  }
  const id = makeTaskId()
  const name = spec.name ?? `task-${id.slice(0, 6)}`
  if (tasks.some(task => task.name === name)) {
    throw new ConflictError(`there is a task "${name}" already; remove it with: tapmesh rm ${name}`,
      { name })
  }
  const netns = netnsOf({ name })
  if (listNetns().includes(netns)) {
    throw new ConflictError(`there is a network namespace "${netns}" already that is not ours; `
      + `remove it with: ip netns del ${netns}`, { netns })
  }
  checkParts(spec)
  return {
    id, name, state: 'created', complete: false, error: null, pid: null, pidStart: null,
    exitCode: null, command: spec.command, env: spec.env, workdir: spec.workdir ?? null,
    user: spec.user ?? null, hostname: spec.hostname ?? null, stopGraceMs: spec.stopGraceMs,
    labels: spec.labels, service: spec.service ?? null, runtime: spec.runtime,
    rootfs: spec.rootfs ?? null, promiscuous: spec.promiscuous, remove: spec.remove,
    createdAt: new Date(wallMs).toISOString(), startedAt: null, finishedAt: null,
    ...planEndpoints(core, networks, id, spec),
  }
}

/** What a task is made of must be there: its file system, user, program, and who runs it. */
function checkParts({ command, env, rootfs, runtime, user, workdir = '/' }: TaskSpec): void {
  if (rootfs !== undefined && !isDirectory(rootfs)) {
    throw new UsageError(`the root file system ${rootfs} is no directory; `
      + 'unpack an image into one', { rootfs })
  }
  if (runtime === 'crun') checkCrun()
  const root = rootfs ?? HOST_ROOT
  if (user !== undefined) resolveUser(user, root)
  const [program] = command
  const path = searchPathOf({ env, rootfs: rootfs ?? null })
  if (program !== undefined) resolveProgram(program, { root, workdir, path })
}

function checkCrun(): void {
  try {
    crunWords('')
  } catch {
    throw new AbsentError('the runtime "crun" is not installed on this node; '
      + 'install it with: apt install crun')
  }
}

/**
 * Its interfaces, as Docker has them: eth1 is the way out, if it gets one; the networks have eth0,
 * eth2, eth3 and so on.
 */
function planEndpoints(core: Core, networks: Networks, id: string, spec: TaskSpec,
): { endpoints: EndpointRecord[]; wayOut: PlugRecord | null } {
  const endpoints: EndpointRecord[] = []
  const hasWayOut = core.wayOut.isFor(spec.networks.map(({ network }) => networks.find(network)))
  try {
    for (const [n, wanted] of spec.networks.entries()) {
      const network = networks.find(wanted.network)
      if (endpoints.some(endpoint => endpoint.network === network.id)) {
        throw new UsageError(`--network ${network.name} is given twice`)
      }
      const { address, lease } = networks.takeAddress(network, { ...wanted,
        lease: wanted.lease ?? slotLease(core, network.id, wanted.address, spec) })
      endpoints.push({
        portId: 0, slot: 0, network: network.id, address,
        interface: `eth${hasWayOut && n > 0 ? n + 1 : n}`,
        mac: macOfAddress(parseIpv4(address)), lease,
      })
      Object.assign(endpoints.at(-1)!, core.nextPort(endpoints.slice(0, -1)))
    }
    return { endpoints, wayOut: hasWayOut ? core.wayOut.plan(id, WAY_OUT_INTERFACE) : null }
  } catch (error) {
    for (const { network, address } of endpoints) networks.releaseAddress(network, address)
    throw error
  }
}

/** The lease by which a service's task has its address: that of one of the sides of its slot. */
function slotLease({ link }: Core, network: string, address: string | undefined,
  { service }: TaskSpec): string | undefined {
  if (link === null || service == null) return undefined
  return SIDES.map(side => leaseKey(network, { kind: 'slot', service: service.service,
    slot: leaseSlot(service.slot, side) }))
    .find(key => link.records.leases.get(key)?.address === address)
}
