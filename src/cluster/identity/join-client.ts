// How a machine becomes a member: it calls one, makes sure of it, goes on to a manager when that
// was a worker, and only there shows its secret. Nothing here writes to the disk: what comes back
// is whole, and files.ts keeps it.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../base/clock.ts'
import type { MeshAddress } from '../mesh-address.ts'
import { formatBase36 } from './base36.ts'
import { isPairOf, makeKeyPair, tryPrivateKey, type KeyPair } from './certificates.ts'
import { checkMember, type Identity } from './identity.ts'
import { certificateIn, keyRequest, refusalError, ringIn, secretsIn } from './join-answers.ts'
import { dial, type Line } from './join-dial.ts'
import { JoinError, reasonText } from './join-error.ts'
import type { AnswerOf } from './join-messages.ts'
import { formatTarget, type Target } from './join-target.ts'
import { parseToken, type JoinToken } from './token.ts'

/** Managers that are called after a worker has named them. */
export const MANAGERS_CALLED_MAX = 5
/** So soon nobody is asked again. */
const RETRY_MS_MIN = 100

export type JoinOptions = Readonly<{
  target: Target
  /** As it was printed. */
  token: string
  nodeName: string
  /** Underlay address of this node, IPv4, and the port of its mesh. */
  address: string
  port: number
  version: string
  clock: Clock
  /** While its name is in use, ask again for so long; 0 or absent: fail at once. */
  waitMs?: number
  /** What it waits for, each time. */
  onWait?: (text: string) => void
  timeoutMs?: number
  signal?: AbortSignal
}>

export type Joined = Readonly<{
  identity: Identity
  /** Members to meet first. */
  seeds: readonly MeshAddress[]
  /** Who let it in. */
  through: string
}>

/**
 * Become a member of the cluster that `token` belongs to.
 * @throws UsageError the token, the name or the address cannot be used; JoinError it was not let
 *   in, or there was nobody to ask; in any case nothing was changed
 */
export async function joinCluster(options: JoinOptions): Promise<Joined> {
  const token = parseToken(options.token)
  const { nodeName, address, clock, waitMs = 0, onWait, signal } = options
  checkMember({ nodeId: '0'.repeat(25), nodeName, role: 'worker', address })
  // One key for all attempts: by it a manager knows a second one from another node.
  const keys = makeKeyPair()
  const untilMs = clock.nowMs() + waitMs
  for (;;) {
    const answer = await askForEntry(options, token, keys)
    if (!('retryAfterMs' in answer)) return answer
    const retryMs = Math.max(answer.retryAfterMs ?? 0, RETRY_MS_MIN)
    const isWorthIt = answer.reason === 'name-in-use' && answer.retryAfterMs !== null
    if (!isWorthIt || clock.nowMs() + retryMs > untilMs) throw refusalError(answer)
    onWait?.(answer.text)
    await sleep(retryMs, undefined, { signal }).catch(() => {
      throw new JoinError('cancelled', 'joining was cancelled')
    })
  }
}

async function askForEntry(
  options: JoinOptions, token: JoinToken, keys: KeyPair,
): Promise<Joined | AnswerOf<'refused'>> {
  const { target } = options
  const first = await callAt(options, target, token, async line => {
    return line.peer.role === 'manager' ? await enter(options, token, keys, line)
      : { managers: line.hello.managers, worker: line.peer.nodeName }
  })
  if (!('managers' in first)) return first
  const { managers, worker } = first
  const failures: string[] = []
  for (const manager of managers.slice(0, MANAGERS_CALLED_MAX)) {
    try {
      return await callAt(options, manager, token, line => {
        if (line.peer.role === 'manager') return enter(options, token, keys, line)
        throw new JoinError('no-manager', `${formatTarget(manager)} is a worker`)
      })
    } catch (error) {
      if (options.signal?.aborted === true || !(error instanceof JoinError)) throw error
      failures.push(reasonText(error))
    }
  }
  const why = failures.length === 0 ? 'it knows no manager that is alive'
    : `none of the managers that it names lets this node in: ${failures.join('; ')}`
  throw new JoinError('no-manager', `${worker} (${formatTarget(target)}) is a worker, and ${why}; `
    + 'give the address of a manager', { target: formatTarget(target) })
}

function callAt<T>(
  { clock, timeoutMs, signal }: JoinOptions, target: Target, token: JoinToken,
  talk: (line: Line) => Promise<T>,
): Promise<T> {
  const { authorityDigest } = token
  return dial({ target, authorityDigest, clock, timeoutMs, signal }, talk)
}

/** The secret is shown here and nowhere else: to a manager of the cluster that the token pins. */
async function enter(
  options: JoinOptions, { secret }: JoinToken, keys: KeyPair, line: Line,
): Promise<Joined | AnswerOf<'refused'>> {
  const { nodeName, address, port, version } = options
  const answer = await line.ask({
    type: 'join', ...keyRequest(keys, line, version), secret: formatBase36(secret), nodeName,
    address, port,
  })
  if (answer.type === 'refused') return answer
  if (answer.type !== 'joined') throw line.unclear()
  const { authority, hello, peer } = line
  const { role, insecure, seeds } = answer
  const certificate = certificateIn(answer.certificate, line, keys, { nodeName, address, role })
  const isManager = role === 'manager'
  const authorityKey = answer.authorityKey === null ? null
    : tryPrivateKey(Buffer.from(answer.authorityKey, 'base64'))
  const secrets = secretsIn(answer, line)
  const isWhole = isManager
    ? authorityKey !== null && isPairOf(authorityKey, authority.publicKey) && secrets !== null
    : answer.authorityKey === null && secrets === null
  if (!isWhole) throw line.unclear()
  const identity: Identity = {
    cluster: { id: authority.clusterId, name: hello.clusterName, insecure },
    authority, certificate, privateKey: keys.privateKey, ring: ringIn(answer, line), authorityKey,
    secrets,
  }
  return { identity, seeds, through: peer.nodeName }
}
