// Members of the mesh in the words of the tables and of people.
import { ConflictError } from '../base/errors.ts'
import { formatMeshAddress, type MeshAddress } from '../cluster/mesh-address.ts'
import type { Mesh } from '../cluster/mesh.ts'
import type { MemberView } from '../cluster/swim/members.ts'
import type { Peer } from '../cluster/tables/events.ts'
import type { SeenMember } from './cluster-show.ts'
import { decodeMeta } from './node-meta.ts'

/** What to say when the mesh's port cannot be had. */
export function listenError(error: NodeJS.ErrnoException, address: MeshAddress): ConflictError {
  const place = formatMeshAddress(address)
  const hint = error.code === 'EADDRINUSE'
    ? 'another program has it; stop that one, or set mesh.port on all nodes' : 'see mesh.port'
  return new ConflictError(`gossip cannot listen on ${place} (UDP and TCP): `
    + `${error.code ?? error.message}; ${hint}`, { address: place })
}

/** Members that keep tables, as these want to know them. @param self left out */
export function tablePeers(mesh: Mesh, self: string): Peer[] {
  return mesh.swim.members().flatMap((member): Peer[] => {
    const meta = decodeMeta(member.meta)
    if (meta === null || member.name === self) return []
    const state = member.state === 'left' ? 'left' : member.state === 'dead' ? 'failed' : 'alive'
    return [{ name: member.name, node: meta.id, epoch: meta.epoch, state }]
  })
}

/** @param tunnelMs round trip of its keep-alives, which come more often than the mesh's probes */
export function seenMember(member: MemberView, nowMs: number, tunnelMs: number | null,
): Omit<SeenMember, 'reason' | 'doubtful' | 'tables'> {
  const meta = decodeMeta(member.meta)
  return {
    name: member.name, id: meta?.id ?? null, epoch: meta?.epoch ?? 0,
    address: formatMeshAddress(member.address), state: member.state,
    roundTripMs: tunnelMs ?? member.roundTripMs, pathMtuOctets: null,
    lastSeenMsAgo: Number.isFinite(member.heardMs) ? Math.max(0, nowMs - member.heardMs) : null,
  }
}
