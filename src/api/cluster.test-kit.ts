// The cluster of a daemon for tests of the API: two nodes, in memory only.
import { ConflictError, NotFoundError } from '../base/errors.ts'
import type {
  ClusterControl, ClusterView, NodeView, PeerView, TokenView,
} from '../daemon/cluster-views.ts'
import type { ServiceTaskView } from '../daemon/service-views.ts'

const TOKEN = `TMTKN-1-${'0'.repeat(50)}-${'1'.repeat(25)}`
const AT = '2026-01-02T03:04:05.000Z'
export const NODE_IDS = ['n1aaaaaaaaaaaaaaaaaaaaaaa', 'n2bbbbbbbbbbbbbbbbbbbbbbb'] as const

export function makeFakeCluster(asked: string[]): ClusterControl {
  let view: ClusterView | null = null
  const nodes = NODE_IDS.map((id, n) => nodeView(id, n + 1))
  const needed = (): ClusterView => {
    if (view === null) throw new ConflictError('this node is in no cluster')
    return view
  }
  return {
    view: () => view,
    init: async spec => {
      asked.push(`init ${JSON.stringify(spec)}`)
      if (view !== null) throw new ConflictError('this node is in the cluster "lab" already')
      view = clusterView(spec.name ?? 'tapmesh', spec.insecure)
      return { cluster: view, worker: tokenView('worker') }
    },
    join: async spec => {
      asked.push(`join ${JSON.stringify(spec)}`)
      view = { ...clusterView('lab', false), role: 'worker' }
      return view
    },
    leave: async force => {
      needed()
      if (!force) throw new ConflictError('this is the last manager; use --force')
      view = null
    },
    token: role => (needed(), tokenView(role)),
    rotateToken: async role => {
      asked.push(`rotate ${role}`)
      return tokenView(role)
    },
    rotateKeys: async () => ({ ...needed(), keys: { generation: 4, rotatedAt: AT } }),
    nodes: () => nodes,
    node: which => findNode(nodes, which),
    updateNode: async (which, change) => {
      asked.push(`update node ${which} ${JSON.stringify(change)}`)
      return findNode(nodes, which)
    },
    nodeTasks: which => [nodeTask(findNode(nodes, which))],
    removeNode: async (which, force) => {
      asked.push(`remove node ${findNode(nodes, which).name} ${force}`)
    },
    peers: () => [peerView()],
    tables: () => [{ table: 'network', rows: 2, hidden: 1, digest: '00c0ffee' }],
    table: name => {
      if (name !== 'network') throw new NotFoundError(`there is no table "${name}"`)
      return [{
        table: 'network', key: 'a1', value: { name: 'mynet' }, deleted: false, hidden: false,
        node: 'node1', writtenAt: AT, stamp: '1',
      }]
    },
    watch: async function* () {
      yield { at: AT, what: 'member', change: 'alive', name: 'node2', detail: null }
    },
    ping: async (which, count) => ({
      node: findNode(nodes, which).name,
      underlay: { sent: count, received: count - 1, minMs: 0.1, avgMs: 0.2, maxMs: 0.3 },
      mesh: null, pathMtuOctets: 1500, notes: ['the mesh was not asked'],
    }),
  }
}

function findNode(nodes: NodeView[], which: string): NodeView {
  const found = nodes.find(node => which === 'self' ? node.self
    : node.name === which || node.id.startsWith(which))
  if (found === undefined) throw new NotFoundError(`there is no node "${which}"`)
  return found
}

function clusterView(name: string, insecure: boolean): ClusterView {
  return {
    id: 'c'.repeat(25), name, nodeId: NODE_IDS[0], nodeName: 'node1', role: 'manager', insecure,
    address: '192.168.56.11:7946', members: 1,
    keys: insecure ? null : { generation: 3, rotatedAt: '2026-01-01T00:00:00.000Z' },
    certificate: { expiresAt: '2026-04-01T00:00:00.000Z', fingerprint: 'ab:cd' }, counters: {},
  }
}

function tokenView(role: TokenView['role']): TokenView {
  return { role, token: TOKEN, command: `tapmesh join --token ${TOKEN} 192.168.56.11:7946` }
}

function nodeView(id: string, n: number): NodeView {
  return {
    id, name: `node${n}`, self: n === 1, role: n === 1 ? 'manager' : 'worker', status: 'Ready',
    availability: 'Active', managerStatus: n === 1 ? 'Leader' : '', version: '0.1.0',
    address: `192.168.56.1${n}`, mesh: `192.168.56.1${n}:7946`, epoch: 1, labels: {},
    joinedAt: '2026-01-01T00:00:00.000Z',
  }
}

function nodeTask({ id, name }: NodeView): ServiceTaskView {
  return {
    id: 't'.repeat(25), service: 's'.repeat(25), slot: '1', name: 'web.1', node: { id, name },
    generation: 1, command: ['whoami'], desired: 'running', state: 'running', error: '',
    exitCode: null, container: null, createdAt: AT, stateAt: AT, ports: [], isAway: false,
    flows: null,
  }
}

function peerView(): PeerView {
  return {
    name: 'node2', id: NODE_IDS[1], mesh: '192.168.56.12:7946', state: 'alive', reason: '',
    doubtful: true, rttMs: 0.25, tables: 'equal', lastSeenMsAgo: 300, pathMtuOctets: null,
  }
}
