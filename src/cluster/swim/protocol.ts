// Can everybody understand everybody? memberlist asks at each exchange of state and refuses the
// whole exchange when not (state.go, verifyProtocol).
import type { NodeState, ProtocolVersions } from '../../wire/memberlist/messages.ts'

export type Speaker = Readonly<{ name: string; state: NodeState; versions: ProtocolVersions }>

/** Null, or who does not fit and why. Both sides have to be among the speakers. */
export function protocolMismatch(speakers: readonly Speaker[]): string | null {
  let protocolFrom = 0
  let protocolTo = 255
  let delegateFrom = 0
  let delegateTo = 255
  for (const { state, versions } of speakers) {
    if (state !== 'alive') continue
    protocolFrom = Math.max(protocolFrom, versions.protocolMin)
    protocolTo = Math.min(protocolTo, versions.protocolMax)
    delegateFrom = Math.max(delegateFrom, versions.delegateMin)
    delegateTo = Math.min(delegateTo, versions.delegateMax)
  }
  for (const { name, versions } of speakers) {
    const { protocol, delegate } = versions
    if (protocol < protocolFrom || protocol > protocolTo) {
      return `node ${name} speaks protocol ${protocol}, and all understand only `
        + `${protocolFrom} to ${protocolTo}`
    }
    if (delegate < delegateFrom || delegate > delegateTo) {
      return `the program of node ${name} speaks version ${delegate}, and all understand only `
        + `${delegateFrom} to ${delegateTo}`
    }
  }
  return null
}
