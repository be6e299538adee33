// How tasks and endpoints are shown.
import { HOSTNAME_DIGITS } from '../base/ids.ts'
import { linkLocalOfMac, parseCidr } from '../base/text.ts'
import { netnsOf } from './endpoints.ts'
import type { EndpointRecord, NetworkRecord, TaskRecord } from './state.ts'
import type { EndpointView, TaskView } from './views.ts'

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

export function taskView(task: TaskRecord, networks: readonly NetworkRecord[]): TaskView {
  return {
    id: task.id,
    name: task.name,
    state: task.state,
    error: task.error,
    pid: task.pid,
    exitCode: task.exitCode,
    hostname: task.id.slice(0, HOSTNAME_DIGITS),
    netns: netnsOf(task),
    command: task.command,
    createdAt: task.createdAt,
    startedAt: task.startedAt,
    finishedAt: task.finishedAt,
    promiscuous: task.promiscuous,
    remove: task.remove,
    endpoints: task.endpoints.flatMap(endpoint => {
      const network = networks.find(one => one.id === endpoint.network)
      return network === undefined ? [] : [endpointView(task, endpoint, network)]
    }),
  }
}
