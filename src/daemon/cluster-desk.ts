// Who may join: what this node's tables say against a newcomer, for the desk that lets nodes in.
import type {
  Candidate, DeskOptions, Objection,
} from '../cluster/identity/desk-options.ts'
import type { Identity } from '../cluster/identity/identity.ts'
import type { ClusterHost } from './cluster-host.ts'
import type { ClusterLife } from './cluster-life.ts'

/** A node that went without a word counts as alive for some seconds more. */
const NAME_RETRY_MS = 2000

export function deskOptions({ clock, log, readLog, version }: ClusterHost, life: ClusterLife,
  identity: () => Identity, isRemoved: (nodeId: string) => boolean): DeskOptions {
  return {
    clock, version, identity, isRemoved, readLog,
    managers: () => life.managers().map(({ address }) => address),
    seeds: () => life.places(),
    objection: candidate => objectionTo(candidate, life),
    onEvent: event => {
      if (event.type === 'refused') {
        const { reason, source, text } = event
        log.warn({ reason, source, text }, 'nobody was let in')
      } else {
        const { nodeName, role, source } = event.candidate
        log.info({ member: nodeName, role, source }, `node ${event.type}`)
      }
    },
  }
}

/** No two live nodes have one name, or one underlay address. */
function objectionTo(candidate: Candidate, life: ClusterLife): Objection | null {
  const here = life.node.members().filter(({ state }) => state === 'alive' || state === 'suspect')
    .map(({ address, id, name }) => ({ id, name, address: address.split(':')[0] }))
  const { certificate } = life.identity
  here.push({ id: certificate.nodeId, name: certificate.nodeName, address: certificate.address })
  for (const { address, id, name } of here) {
    if (id === candidate.nodeId) continue
    if (name === candidate.nodeName) {
      return { reason: 'name-in-use', retryAfterMs: NAME_RETRY_MS,
        text: `a live node of the cluster has the name ${name}; set node.name of one of them` }
    }
    if (address === candidate.address) {
      return { reason: 'not-admitted', retryAfterMs: NAME_RETRY_MS,
        text: `the live node ${name} has the address ${address}` }
    }
  }
  return null
}
