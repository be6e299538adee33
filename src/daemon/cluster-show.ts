// How nodes, peers and rows of the cluster are shown: what the tables say, joined with what the
// mesh sees at this moment.
import { rendezvousFirst } from '../cluster/derived.ts'
import type { ClusterRecords, Known } from './cluster-records.ts'
import type { NodeRow } from './shared-rows.ts'
import type { NodeView, PeerView } from './cluster-views.ts'

/** A member of the mesh, as far as it is shown. */
export type SeenMember = Readonly<{
  name: string
  /** Node id, from its metadata; null for a foreign member. */
  id: string | null
  /** "192.168.56.12:7946" */
  address: string
  state: 'alive' | 'suspect' | 'dead' | 'left'
  reason: string
  doubtful: boolean
  roundTripMs: number | null
  lastSeenMsAgo: number | null
  tables: PeerView['tables']
  pathMtuOctets: number | null
  epoch: number
}>

const AVAILABILITY = { active: 'Active', pause: 'Pause', drain: 'Drain' } as const

type Whole = Readonly<{
  records: ClusterRecords
  nodeId: string
  epoch: number
  members: readonly SeenMember[]
}>

export function nodeViews(whole: Whole): NodeView[] {
  const leader = leaderOf(whole)
  return [...whole.records.nodes]
    .map(([id, row]) => nodeView(whole, id, row, leader))
    .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1)
}

/** The manager on which derived work falls: all nodes that see the same members find the same. */
export function leaderOf({ records, nodeId, members }: Whole): string | null {
  const present = new Set(members.filter(isPresent).map(({ id }) => id)).add(nodeId)
  const managers = [...records.nodes]
    .filter(([id, row]) => row.role === 'manager' && present.has(id)).map(([id]) => id)
  return rendezvousFirst('leader', managers)
}

export function peerViews(members: readonly SeenMember[]): PeerView[] {
  return members.map(member => ({
    name: member.name,
    id: member.id,
    mesh: member.address,
    state: member.state,
    reason: member.reason,
    doubtful: member.doubtful,
    rttMs: member.roundTripMs,
    tables: member.tables,
    lastSeenMsAgo: member.lastSeenMsAgo,
    pathMtuOctets: member.pathMtuOctets,
  })).sort((a, b) => a.name < b.name ? -1 : 1)
}

export function isPresent({ state }: Pick<SeenMember, 'state'>): boolean {
  return state === 'alive' || state === 'suspect'
}

function nodeView(whole: Whole, id: string, row: Known<NodeRow>, leader: string | null): NodeView {
  const self = id === whole.nodeId
  const spec = whole.records.nodeSpecs.get(id)
  const member = whole.members.find(one => one.id === id)
  const ready = self || (member !== undefined && isPresent(member))
  return {
    id, self, name: row.name, role: row.role, status: ready ? 'Ready' : 'Down',
    availability: AVAILABILITY[spec?.availability ?? 'active'],
    managerStatus: row.role === 'worker' ? '' : !ready ? 'Unreachable'
      : id === leader ? 'Leader' : 'Reachable',
    version: row.version, address: row.address, mesh: `${row.address}:${row.meshPort}`,
    joinedAt: row.joinedAt, epoch: self ? whole.epoch : member?.epoch ?? 0, 
    labels: { ...row.labels, ...spec?.labels },
  }
}
