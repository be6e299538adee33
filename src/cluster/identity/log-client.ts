// What managers ask other members for while somebody looks at the output of a service: pieces of
// the output of its tasks. Both ends show certificates.
import type { Clock } from '../../base/clock.ts'
import type { MeshAddress } from '../mesh-address.ts'
import type { LogPart } from './desk-options.ts'
import type { Identity } from './identity.ts'
import { refusalError } from './join-answers.ts'
import { dial } from './join-dial.ts'
import { JoinError } from './join-error.ts'
import { JOIN_PROTOCOL } from './join-messages.ts'
import { formatTarget } from './join-target.ts'

export type LogCall = Readonly<{
  identity: Identity
  /** Whom to call, and who must answer there. */
  target: MeshAddress
  nodeId: string
  version: string
  clock: Clock
  signal?: AbortSignal
}>

/** @throws JoinError also when the node does not have the task any more */
export type AskLog = (container: string, from: number | null, tail: number | null) =>
  Promise<LogPart>

/**
 * Call a member, and ask for as many pieces as `talk` wants. The connection ends with `talk`, and
 * after CONNECTION_TIMEOUT_MS.
 * @throws JoinError why the member cannot be asked; whatever `talk` throws
 */
export function askLogs<T>(call: LogCall, talk: (ask: AskLog) => Promise<T>): Promise<T> {
  const { identity, target, nodeId, version, clock, signal } = call
  const authorityDigest = identity.authority.digest
  return dial({ target, authorityDigest, own: identity, clock, signal }, line => {
    if (line.peer.nodeId !== nodeId) {
      throw new JoinError('no-answer', `${formatTarget(target)} is ${line.peer.nodeName} now`)
    }
    return talk(async (container, from, tail) => {
      const answer = await line.ask(
        { type: 'log', protocol: JOIN_PROTOCOL, version, container, from, tail })
      if (answer.type === 'refused') throw refusalError(answer)
      if (answer.type !== 'log') throw line.unclear()
      const { octets, next, isOver } = answer
      return { octets: Buffer.from(octets, 'base64'), next, isOver }
    })
  })
}
