// Members as messages, and messages as what a member has to be compared with.
import type { AliveMessage, DeadMessage, ProtocolVersions, PushedNode, SuspectMessage }
  from '../../wire/memberlist/messages.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { addressOf, sameAddress, sameOctets } from './addresses.ts'
import type { Member } from './members.ts'

export type Accusation = SuspectMessage | DeadMessage

/** What memberlist calls itself without a program above that says otherwise. */
export const PROTOCOL_VERSIONS: ProtocolVersions = Object.freeze({
  protocolMin: 1, protocolMax: 5, protocol: 2, delegateMin: 0, delegateMax: 0, delegate: 0,
})

export function claimOf(member: Member): AliveMessage {
  return {
    type: 'alive', incarnation: member.incarnation, node: member.name,
    address: member.addressOctets, port: member.address.port, meta: member.meta,
    versions: member.versions,
  }
}

export function claimOfPushed(node: PushedNode): AliveMessage {
  const { incarnation, address, port, meta, versions } = node
  return { type: 'alive', incarnation, node: node.node, address, port, meta, versions }
}

export function pushedNode(member: Member): PushedNode {
  return {
    node: member.name, address: member.addressOctets, port: member.address.port,
    meta: member.meta, incarnation: member.incarnation, state: member.state,
    versions: member.versions,
  }
}

/** The newest that is known against a member, as said by `from`; by itself means that it left. */
export function deathOf(member: Member, from: string): DeadMessage {
  const by = member.state === 'left' ? member.name : from
  return { type: 'dead', incarnation: member.incarnation, node: member.name, from: by }
}

export function addressOfClaim(claim: AliveMessage): MeshAddress {
  return addressOf(claim.address, claim.port)
}

export function isAtClaimed(member: Member, claim: AliveMessage): boolean {
  return sameAddress(member.address, addressOfClaim(claim))
}

export function isSameButIncarnation(member: Member, claim: AliveMessage): boolean {
  return sameOctets(member.meta, claim.meta) && sameVersions(member.versions, claim.versions)
}

/** memberlist's state.go, aliveNode: others are ignored. */
export function areVersionsSound({ protocolMin, protocolMax }: ProtocolVersions): boolean {
  return protocolMin > 0 && protocolMax > 0 && protocolMin <= protocolMax
}

function sameVersions(a: ProtocolVersions, b: ProtocolVersions): boolean {
  return a.protocolMin === b.protocolMin && a.protocolMax === b.protocolMax
    && a.protocol === b.protocol && a.delegateMin === b.delegateMin
    && a.delegateMax === b.delegateMax && a.delegate === b.delegate
}
