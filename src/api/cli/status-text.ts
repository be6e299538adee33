// The view of `tapmesh status` for people: what is zero or empty is left out.
import type { StatusView } from '../client.ts'
import { elapsedText } from './ago.ts'
import { tableText } from './table.ts'
import { shortId } from './task-text.ts'

export function statusText(status: StatusView, nowMs: number): string {
  return [
    factsText(status, nowMs), networksText(status), endpointsText(status), vtepsText(status),
    countersText('COUNTER', status.counters), countersText('DROPPED', status.drops),
  ].filter(section => section !== '').join('\n\n')
}

function factsText(status: StatusView, nowMs: number): string {
  const { node, version, pid, startedAt, underlay, plane, cluster, dns, wayOut } = status
  const up = elapsedText(startedAt, nowMs)
  const checksum = underlay.udpChecksum ? 'on' : 'off'
  const rows: [name: string, value: string][] = [
    ['Node', `${node} (tapmesh ${version}, pid ${pid}, up ${up.toLowerCase()})`],
    ['Cluster', clusterText(cluster)],
    ['Underlay', `${underlay.device} ${underlay.address}, UDP port ${underlay.port}, `
      + `MTU ${underlay.mtu}, checksum ${checksum}`],
    ['Plane', `generation ${plane.generation}, ${counted(plane.networks, 'network')}, `
      + `${counted(plane.ports, 'port')}, ${plane.learned} learned${workersText(plane)}`],
    ['Features', featuresText(plane.features)],
    ['Names', `for ${counted(dns.servers, 'task')}, others from ${
      dns.upstreams.join(', ') || 'nobody'}`],
    ['Way out', wayOutText(wayOut)],
  ]
  return rows.map(([name, value]) => `${name.padEnd(11)}${value}`).join('\n')
}

function wayOutText(wayOut: StatusView['wayOut']): string {
  const { device, opened, reason, state, subnet, tasks } = wayOut
  if (state === 'closed') return `closed: ${reason}`
  if (state !== 'open') return state
  return `${subnet} by ${device}, ${counted(tasks, 'task')}`
    + (opened.length > 0 ? `, forwarding on ${opened.join(', ')}` : '')
}

/** Several workers, and whether some ports keep to one of them. */
function workersText({ workers, ports, multiQueuePorts }: StatusView['plane']): string {
  if (workers === 1) return ''
  const single = ports - multiQueuePorts
  return `, ${workers} workers${single === 0 ? '' : ` (${counted(single, 'port')} with one)`}`
}

function clusterText(cluster: StatusView['cluster']): string {
  if (cluster === null) return 'inactive'
  const { name, role, members, address, insecure } = cluster
  return `${name}, ${role}, ${counted(members, 'member')}, gossip on ${address}`
    + (insecure ? ', in the clear' : '')
}

/** What the packet path uses, and what this kernel lacks or the configuration turns off. */
function featuresText(features: StatusView['plane']['features']): string {
  const named = (on: boolean): string => Object.entries(features)
    .filter(([, isOn]) => isOn === on).map(([name]) => name).join(', ')
  return named(false) === '' ? named(true) : `${named(true) || 'none'}; off: ${named(false)}`
}

function networksText({ networks }: StatusView): string {
  return section(['NETWORK ID', 'NAME', 'SUBNET', 'VNI', 'MTU'], networks.map(network => [
    shortId(network.id), network.name, network.subnet, String(network.vni), String(network.mtu),
  ]))
}

function endpointsText({ endpoints }: StatusView): string {
  return section(['ENDPOINT', 'NETWORK', 'INTERFACE', 'ADDRESS', 'MAC'], endpoints.map(endpoint => [
    endpoint.task, endpoint.network, endpoint.interface, `${endpoint.address}/${endpoint.prefix}`,
    endpoint.mac,
  ]))
}

function vtepsText({ vteps }: StatusView): string {
  return section(['VTEP', 'PORT', 'NETWORK', 'CHECKSUM'], vteps.map(vtepRow))
}

/** A VTEP; "*" is every network, and "remote" that it finishes checksums for us. */
export function vtepRow(vtep: StatusView['vteps'][number]): string[] {
  const checksum = vtep.remoteChecksum ? 'remote' : 'ours'
  return [vtep.address, String(vtep.port), vtep.network ?? '*', checksum]
}

function countersText(heading: string, counters: Record<string, number>): string {
  const rows = Object.entries(counters).filter(([, count]) => count !== 0)
  return section([heading, 'COUNT'], rows.map(([name, count]) => [name, String(count)]))
}

function section(heading: string[], rows: string[][]): string {
  return rows.length === 0 ? '' : tableText(heading, rows)
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
