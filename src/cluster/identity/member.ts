// Who a member is: what its certificate says, and what it asks for when it joins.
import { tryIpv4 } from '../../base/text.ts'

export const ROLES = ['worker', 'manager'] as const
export type Role = (typeof ROLES)[number]

export type Member = Readonly<{
  /** 25 digits of base 36, made once for each node and never used again. */
  nodeId: string
  /** One live node has it at a time. */
  nodeName: string
  role: Role
  /** Underlay address, IPv4: where its VTEP and its mesh are. */
  address: string
}>

/** Also the form of a cluster's id. */
export const OBJECT_ID = /^[0-9a-z]{25}$/
/** The name that the configuration allows, too. */
export const NODE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text)
}

export function isMember(member: Member): boolean {
  return OBJECT_ID.test(member.nodeId) && NODE_NAME.test(member.nodeName)
    && isRole(member.role) && tryIpv4(member.address) >= 0
}
