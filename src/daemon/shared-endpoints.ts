// Endpoints of this node in the shared tables, and how one of a running task gets another address.
import { parseIpv4, macOfAddress, parseCidr } from '../base/text.ts'
import type { Write } from '../cluster/tables/events.ts'
import type { Tables } from '../cluster/tables/tables.ts'
import type { ClusterRecords } from './cluster-records.ts'
import {
  encodeRow, endpointKey, type EndpointRow, ownerOf, TABLE_ENDPOINT,
} from './shared-rows.ts'
import type { Core } from './core.ts'
import { INGRESS_DEVICE } from './ingress-device.ts'
import { configureEndpoint, dropAddress, netnsOf } from './endpoints.ts'
import type { Networks } from './networks.ts'
import type { EndpointRecord, TaskRecord } from './state.ts'
import { writeTaskFiles } from './task-files.ts'

/** The rows of this node: endpoints in networks of the cluster whose device is held. */
export function ownRows({ host, state, taps }: Core): Map<number, EndpointRow> {
  const shared = new Set(state.networks.filter(one => one.scope === 'swarm').map(one => one.id))
  const rows = new Map<number, EndpointRow>()
  for (const task of state.tasks) {
    for (const endpoint of task.endpoints) {
      if (!shared.has(endpoint.network) || !taps.has(endpoint.portId)) continue
      const { network, address, mac } = endpoint
      rows.set(endpoint.portId, {
        network, address, mac, task: task.name, taskId: task.id, interface: endpoint.interface,
        promiscuous: task.promiscuous,
      })
    }
  }
  if (host !== null && shared.has(host.network) && taps.has(host.portId)) {
    const { network, address, mac } = host
    rows.set(host.portId, { network, address, mac, task: 'ingress-endpoint', taskId: 'ingress',
      interface: INGRESS_DEVICE, promiscuous: false })
  }
  return rows
}

/** What makes the tables say `rows` of this node, and nothing else; empty when they do already. */
export function endpointWrites(tables: Tables, records: ClusterRecords, nodeId: string,
  rows: ReadonlyMap<number, EndpointRow>): Write[] {
  const writes: Write[] = []
  const wanted = new Set<string>()
  for (const [portId, row] of rows) {
    const key = endpointKey(nodeId, portId)
    wanted.add(key)
    const known = tables.get(TABLE_ENDPOINT, key)?.value ?? null
    const value = encodeRow(row)
    if (known === null || Buffer.compare(known, value) !== 0) {
      writes.push({ table: TABLE_ENDPOINT, key, value })
    }
  }
  for (const { key } of records.endpoints.values()) {
    if (ownerOf(key) === nodeId && !wanted.has(key)) {
      writes.push({ table: TABLE_ENDPOINT, key, value: null })
    }
  }
  return writes
}

/** Give an endpoint another address; its task goes on running. */
export async function renumber(core: Core, networks: Networks, task: TaskRecord,
  endpoint: EndpointRecord, address: string): Promise<void> {
  const network = networks.find(endpoint.network)
  const before = endpoint.address
  endpoint.address = address
  endpoint.mac = macOfAddress(parseIpv4(address))
  core.save()
  await dropAddress(netnsOf(task), endpoint.interface,
    `${before}/${parseCidr(network.subnet).prefix}`)
  await configureEndpoint(netnsOf(task), endpoint, network)
  writeTaskFiles(core, task)
  core.publish()
  core.log.warn({ task: task.name, network: network.name, before, address },
    'another holder had this address before; the task has a new one')
}
