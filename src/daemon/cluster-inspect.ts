// What `tapmesh status`, `node inspect` and `cluster tables` show of a cluster, read from its life.
import { NotFoundError } from '../base/errors.ts'
import { digestOf } from '../cluster/identity/certificates.ts'
import { noticeOf } from '../cluster/identity/keyring.ts'
import { formatMeshAddress } from '../cluster/mesh-address.ts'
import type { Row } from '../cluster/tables/rows.ts'
import type { ClusterLife } from './cluster-life.ts'
import { isPresent } from './cluster-show.ts'
import type { ClusterControl, ClusterView, TableRowView } from './cluster-views.ts'

export function clusterView(life: ClusterLife): ClusterView {
  const { cluster, certificate, ring } = life.identity
  const { nodeId, nodeName, notAfterMs, role } = certificate
  const { mesh, tables, transport } = life.node
  return {
    id: cluster.id, name: cluster.name, nodeId, nodeName, role, insecure: cluster.insecure,
    address: formatMeshAddress(life.address),
    members: 1 + life.node.members().filter(isPresent).length,
    keys: cluster.insecure ? null : {
      generation: noticeOf(ring).lamport, rotatedAt: new Date(ring.rotatedAtMs).toISOString(),
    },
    certificate: {
      expiresAt: new Date(notAfterMs).toISOString(),
      fingerprint: Buffer.from(digestOf(certificate.octets)).toString('hex'),
    },
    counters: {
      ...named('mesh', mesh.counters), ...named('swim', mesh.swim.counters),
      ...named('refused', mesh.refused), ...named('tables', tables.counters),
      ...named('transport', transport.counters), ...named('drains', life.drainCounters),
    },
  }
}

/** The tables: how many rows each has, and the hash by which nodes compare them. */
export function tableSums({ node }: ClusterLife): ReturnType<ClusterControl['tables']> {
  const { tables } = node
  return tables.tableNames().map(table => {
    const rows = [...tables.allRows(table)]
    const hidden = rows.filter(({ isShown }) => !isShown).length
    return { table, rows: rows.length, hidden, digest: tables.digest(table) }
  })
}

/** @throws NotFoundError */
export function tableRows(life: ClusterLife, table: string): TableRowView[] {
  const { tables } = life.node
  if (!tables.tableNames().includes(table)) {
    throw new NotFoundError(`there is no table "${table}"; there are: `
      + tables.tableNames().join(', '), { table })
  }
  return [...tables.allRows(table)].map(({ row, isShown }) => rowView(life, row, isShown))
    .sort((a, b) => a.key < b.key ? -1 : 1)
}

function rowView(life: ClusterLife, row: Row, isShown: boolean): TableRowView {
  const { counter, epoch, ms, node } = row.stamp
  return {
    table: row.table, key: row.key, value: readable(row.value), deleted: row.value === null,
    hidden: !isShown, node: life.records.nodes.get(node)?.name ?? node,
    writtenAt: new Date(ms).toISOString(), stamp: `${ms}.${counter}@${node}#${epoch}`,
  }
}

/** What never happened is left out. */
function named(prefix: string, counters: object): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => count !== 0)
    .map(([name, count]) => [`${prefix}.${name}`, count as number]))
}

/** JSON as it is, other octets as hex digits. */
function readable(value: Uint8Array | null): unknown {
  if (value === null) return null
  try {
    return JSON.parse(Buffer.from(value).toString('utf8'))
  } catch {
    return Buffer.from(value).toString('hex')
  }
}
