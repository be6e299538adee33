// One node in the words of Docker's `node inspect`.
import type { NodeView } from '../client.ts'

/** A node as `docker node inspect` shows it, and our own Self and Mesh. */
export function nodeInspection(node: NodeView): Record<string, unknown> {
  const { id, name, self, role, labels, joinedAt, version, address, mesh, managerStatus } = node
  return {
    ID: id, CreatedAt: joinedAt, Self: self,
    Spec: { Labels: labels, Role: role, Availability: node.availability.toLowerCase() },
    Description: { Hostname: name, Engine: { EngineVersion: version } },
    Status: { State: node.status.toLowerCase(), Addr: address },
    ...managerStatus === '' ? {} : { ManagerStatus: {
      Leader: managerStatus === 'Leader', Addr: mesh,
      Reachability: managerStatus === 'Unreachable' ? 'unreachable' : 'reachable',
    } },
    Mesh: { Addr: mesh, Epoch: node.epoch },
  }
}

/** As `node inspect --pretty` has it: only what people look for. */
export function nodeText(node: NodeView): string {
  const labels = Object.entries(node.labels)
  const rows: [name: string, value: string][] = [
    ['ID:', node.id],
    ...labels.length === 0 ? [] : [['Labels:', ''] as [string, string]],
    ...labels.map(([key, value]): [string, string] => [` - ${key}=${value}`, '']),
    ['Hostname:', node.name], ['Joined at:', node.joinedAt],
    ['Status:', ''], [' State:', node.status], [' Availability:', node.availability],
    [' Address:', node.address],
    ...managerRows(node),
    ['Gossip Address:', node.mesh], ['Engine Version:', node.version],
  ]
  return rows.map(([name, value]) => value === '' ? name : `${name.padEnd(18)}${value}`).join('\n')
}

function managerRows({ managerStatus, mesh }: NodeView): [name: string, value: string][] {
  if (managerStatus === '') return []
  return [
    ['Manager Status:', ''], [' Address:', mesh],
    [' Reachability:', managerStatus === 'Unreachable' ? 'Unreachable' : 'Reachable'],
    [' Leader:', managerStatus === 'Leader' ? 'Yes' : 'No'],
  ]
}
