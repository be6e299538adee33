// How tasks and endpoints are shown.
import { HOSTNAME_DIGITS } from '../base/ids.ts'
import { linkLocalOfMac, parseCidr } from '../base/text.ts'
import { netnsOf } from './endpoints.ts'
import type { EndpointRecord, NetworkRecord, TaskRecord, WayOutRecord } from './state.ts'
import type { EndpointView, TaskView } from './views.ts'
import { plugView } from './way-out-show.ts'

export function endpointView(task: TaskRecord, endpoint: EndpointRecord,
  network: NetworkRecord): EndpointView {
  return {
    task: task.name,
    taskId: task.id,
    network: network.name,
    interface: endpoint.interface,
    address: endpoint.address,
    prefix: parseCidr(network.subnet).prefix,
    mac: endpoint.mac,
    ipv6: linkLocalOfMac(endpoint.mac),
    mtu: network.mtu,
    promiscuous: task.promiscuous,
  }
}

export const hostnameOf = (task: Pick<TaskRecord, 'hostname' | 'id'>): string =>
  task.hostname ?? task.id.slice(0, HOSTNAME_DIGITS)

/** @param directory where log and files of the task are kept */
export function taskView(task: TaskRecord, networks: readonly NetworkRecord[],
  wayOut: WayOutRecord | null, directory: string): TaskView {
  return {
    id: task.id,
    name: task.name,
    state: task.state,
    error: task.error,
    pid: task.pid,
    exitCode: task.exitCode,
    hostname: hostnameOf(task),
    netns: netnsOf(task),
    directory,
    command: task.command,
    user: task.user,
    runtime: task.runtime,
    rootfs: task.rootfs,
    stopGraceMs: task.stopGraceMs,
    labels: task.labels,
    service: task.service,
    createdAt: task.createdAt,
    startedAt: task.startedAt,
    finishedAt: task.finishedAt,
    promiscuous: task.promiscuous,
    remove: task.remove,
    endpoints: task.endpoints.flatMap(endpoint => {
      const network = networks.find(one => one.id === endpoint.network)
      return network === undefined ? [] : [endpointView(task, endpoint, network)]
    }),
    wayOut: task.wayOut === null || wayOut === null ? null : plugView(task.wayOut, wayOut),
  }
}
