// A node's whole share in a cluster as a process: mesh, keep-alives, tables and their store, as the
// daemon has them, but no packet path and no tasks. gossip-lines.ts says how it is driven; `spread`
// writes a row of a table, and whoever sees the row says so by an event `user`.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.ts'
import { makeLog } from '../src/base/log.ts'
import { formatMeshAddress, type MeshAddress } from '../src/cluster/mesh-address.ts'
import type { Change } from '../src/cluster/tables/events.ts'
import { ClusterNode } from '../src/daemon/cluster-node.ts'
import { TABLE_ENDPOINT } from '../src/daemon/shared-rows.ts'
import { openStore } from '../src/daemon/store.ts'
import { type GossipCommand, obeyLines, SPREAD_MARK, tell } from './gossip-lines.ts'

const LEAVE_MS = 5000

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'ours' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '7946' },
    keys: { type: 'string', default: '' },
    label: { type: 'string', default: '' },
    // Members to join, "HOST:PORT,…"; it goes on trying.
    seeds: { type: 'string', default: '' },
    // The directory of its store, which it finds again when it is started again.
    store: { type: 'string', default: '' },
    'life-seconds': { type: 'string', default: '300' },
  },
})

/** As long as an id is, and the same for the same name. */
const nodeId = BigInt(`0x${createHash('sha256').update(values.name).digest('hex')}`)
  .toString(36).slice(0, 25)
const keys = values.keys.split(',').filter(key => key !== '').map(key => Buffer.from(key, 'hex'))
const address = { host: values.host, port: Number(values.port) }
const node = new ClusterNode({
  nodeId,
  name: values.name,
  label: values.label,
  keys: { primary: keys[0] ?? null, all: keys },
  address,
  store: openStore(join(values.store, 'store'), systemClock.wallMs()),
  clock: systemClock,
  log: await makeLog({ level: 'silent', format: 'json' }, values.name),
  check: () => null,
  prove: () => new Uint8Array(0),
  onTls: socket => socket.destroy(),
  onRows: tellRows,
  onMembers: () => {},
  onRemoved: () => {},
  onDrain: () => {},
  onEvent: tellMember,
})

function tellRows(changes: readonly Change[]): void {
  for (const { isShown, new: row, table } of changes) {
    if (table !== TABLE_ENDPOINT || !isShown || row === null || row.value === null) continue
    tell('user', { text: `${SPREAD_MARK}${new TextDecoder().decode(row.value)}` })
  }
}

function tellMember(what: string, name: string): void {
  const member = node.mesh.swim.member(name)
  if (what !== 'member' || member === undefined) return
  const { address: at, state } = member
  tell('member', { name, address: formatMeshAddress(at), state, meta: '' })
}

function addressOf(text: string): MeshAddress {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}

function obey({ do: what, text = '' }: GossipCommand): boolean {
  switch (what) {
    case 'leave':
      void node.leave(LEAVE_MS).then(() => process.exit(0))
      return true
    case 'spread': {
      const value = new TextEncoder().encode(text)
      node.write([{ table: TABLE_ENDPOINT, key: `${nodeId}/spread`, value }])
      return true
    }
    case 'members': {
      const others = node.members().filter(({ state }) => state === 'alive' || state === 'suspect')
      const views = others.map(one => ({ ...one, meta: '' }))
      tell('members', { members: [{ name: values.name, state: 'alive' }, ...views] })
      return true
    }
    case 'counters':
      tell('counters', { refused: node.mesh.refused, mesh: node.mesh.counters,
        transport: node.transport.counters })
      return true
    default: throw new Error(`a node of a cluster knows no "${what}"`)
  }
}

await node.open(values.seeds.split(',').filter(seed => seed !== '').map(addressOf))
tell('ready', { name: values.name, address: formatMeshAddress(address) })
obeyLines(Number(values['life-seconds']), obey)
