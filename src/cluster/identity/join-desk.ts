// Where members decide who is let in: it takes one request of one connection and answers it. No
// sockets here. Everything that comes is a stranger's until it has shown its token or certificate.
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { makeObjectId } from '../../base/ids.ts'
import { formatBase36, tryBase36 } from './base36.ts'
import { certify } from './ca.ts'
import { readNodeCertificate, validityFault, type NodeCertificate } from './certificates.ts'
import type { Caller, Candidate, DeskOptions } from './desk-options.ts'
import { Failures } from './failures.ts'
import { reasonText, REFUSALS, type Refusal } from './join-error.ts'
import {
  ADDRESSES_MAX, JOIN_PROTOCOL, proofOctets, protocolOf, readRequest, RETRY_MS_MAX,
  TEXT_LENGTH_MAX, type Answer, type AnswerOf, type Hello, type JoinRequest, type LogRequest,
  type RenewRequest,
} from './join-messages.ts'
import { encodeRing } from './keyring.ts'
import type { Member } from './member.ts'
import { Reservations } from './reservations.ts'
import { roleOfSecret, SECRET_OCTETS, type JoinSecrets } from './token.ts'

export const DESK_COUNTERS = ['joined', 'renewed', 'keys', 'log', ...REFUSALS] as const
/** When one that finds its name taken may ask again. */
const NAME_RETRY_MS = 2000

export class JoinDesk {
  readonly counters: Record<(typeof DESK_COUNTERS)[number], number>
  readonly #options: DeskOptions
  readonly #failures = new Failures()
  readonly #names = new Reservations()

  constructor(options: DeskOptions) {
    this.#options = options
    const zeros = DESK_COUNTERS.map(name => [name, 0] as const)
    this.counters = Object.fromEntries(zeros) as typeof this.counters
  }

  hello(): Hello {
    const { clock, version, identity, managers } = this.#options
    return {
      type: 'hello',
      protocol: JOIN_PROTOCOL,
      version,
      timeMs: Math.floor(clock.wallMs()),
      clusterName: identity().cluster.name,
      managers: managers().slice(0, ADDRESSES_MAX),
    }
  }

  /** A member with this name has left the cluster. */
  freeName(nodeName: string): void {
    this.#names.free(nodeName)
  }

  /** Answers whatever `line` is, and never fails. */
  async answer(line: string, caller: Caller): Promise<Answer> {
    let answer: Answer
    let text: string | undefined
    try {
      answer = await this.#answer(line, caller)
    } catch (error) {
      answer = refuse('failed', 'this manager failed to answer; its log says why')
      text = reasonText(error)
    }
    if (answer.type !== 'refused') {
      this.counters[answer.type] += 1
      return answer
    }
    const { reason } = answer
    this.counters[reason] += 1
    const { source } = caller
    if (reason === 'no-log') return answer // a task that was forgotten is nothing to be told
    this.#options.onEvent?.({ type: 'refused', reason, text: text ?? answer.text, source })
    return answer
  }

  async #answer(line: string, caller: Caller): Promise<Answer> {
    const protocol = protocolOf(line)
    if (protocol !== null && protocol !== JOIN_PROTOCOL) {
      return refuse('other-protocol', `this member speaks join protocol ${JOIN_PROTOCOL} (tapmesh `
        + `${this.#options.version}), not ${protocol}; run the same version everywhere`)
    }
    const request = readRequest(line)
    if (request === null) return refuse('bad-request', 'that is no request that a tapmesh makes')
    if (request.type === 'log') return this.#log(request, caller)
    const { authorityKey, secrets } = this.#options.identity()
    if (authorityKey === null || secrets === null) {
      return refuse('not-a-manager', 'this member is a worker; ask a manager')
    }
    if (request.type === 'join') return await this.#join(request, caller, authorityKey, secrets)
    const member = this.#memberOf(caller)
    if ('type' in member) return member
    if (request.type === 'renew') return await this.#renew(request, member, caller, authorityKey)
    return { type: 'keys', ...this.#sharedWith(member) }
  }

  /** Any member answers that, but only to managers: what tasks say may be secret. */
  async #log({ container, from, tail }: LogRequest, caller: Caller): Promise<Answer> {
    const member = this.#memberOf(caller)
    if ('type' in member) return member
    if (member.role !== 'manager') {
      return refuse('not-a-manager', 'only managers read the output of tasks of other nodes')
    }
    const part = await this.#options.readLog?.(container, from, tail) ?? null
    if (part === null) return refuse('no-log', 'there is no such task here any more')
    return { type: 'log', octets: base64(part.octets), next: part.next, isOver: part.isOver }
  }

  async #join(
    request: JoinRequest, caller: Caller, authorityKey: KeyObject, secrets: JoinSecrets,
  ): Promise<Answer> {
    const nowMs = this.#options.clock.nowMs()
    const waitMs = this.#failures.waitMs(caller.source, nowMs)
    if (waitMs > 0) {
      return refuse('too-many-failures', `too many wrong tokens came from ${caller.source}; try `
        + `again in ${Math.ceil(waitMs / 1000)} s`, waitMs)
    }
    const role = roleOfSecret(secrets, tryBase36(request.secret, SECRET_OCTETS) ?? new Uint8Array())
    if (role === null) {
      this.#failures.record(caller.source, nowMs)
      return refuse('wrong-token', 'the join token is wrong: its secret was mistyped, or rotated '
        + 'since; tapmesh join-token worker on a manager prints the right one')
    }
    // The id is made here: who joins could take that of another.
    const member = { ...request, nodeId: makeObjectId(), role }
    const answer = await this.#certify(request, member, caller, authorityKey)
    if (answer.type === 'refused') return answer
    const key = role !== 'manager' ? null : authorityKey.export({ type: 'pkcs8', format: 'der' })
    return {
      ...answer,
      type: 'joined',
      role,
      authorityKey: key === null ? null : base64(key),
      insecure: this.#options.identity().cluster.insecure,
      seeds: this.#options.seeds().slice(0, ADDRESSES_MAX),
    }
  }

  #renew(
    request: RenewRequest, member: Member, caller: Caller, authorityKey: KeyObject,
  ): Promise<AnswerOf<'renewed' | 'refused'>> {
    return this.#certify(request, { ...member, address: request.address }, caller, authorityKey)
  }

  async #certify(
    request: JoinRequest | RenewRequest, member: Member, caller: Caller, authorityKey: KeyObject,
  ): Promise<AnswerOf<'renewed' | 'refused'>> {
    const publicKey = provenKey(request, caller.exporter)
    if (publicKey === null) return refuse('bad-proof', 'the request does not belong to its key')
    const { nodeId, nodeName, role, address } = member
    const { port, version, type } = request
    const isRenewal = type === 'renew'
    const source = caller.source
    const candidate = { nodeId, nodeName, role, address, port, version, source, isRenewal }
    const refusal = await this.#refusal(candidate, isRenewal ? nodeId : request.publicKey)
    if (refusal !== null) return refusal
    const { authority } = this.#options.identity()
    const nowMs = this.#options.clock.wallMs()
    const certificate = await certify(
      authority, authorityKey, { nodeId, nodeName, role, address }, publicKey, nowMs)
    this.#options.onEvent?.({ type: isRenewal ? 'renewed' : 'joined', candidate, certificate })
    return {
      type: 'renewed', certificate: base64(certificate.octets), ...this.#sharedWith(member),
    }
  }

  /** Null also holds the name for `holder`: of two that ask at once one gets it. */
  async #refusal(candidate: Candidate, holder: string): Promise<AnswerOf<'refused'> | null> {
    const { nodeName } = candidate
    const nowMs = this.#options.clock.nowMs()
    const objection = await this.#options.objection(candidate)
    if (objection !== null) {
      return refuse(objection.reason, objection.text, objection.retryAfterMs)
    }
    if (!this.#names.isFree(nodeName, holder, nowMs)) {
      return refuse('name-in-use', `another node just joined as ${nodeName}`, NAME_RETRY_MS)
    }
    this.#names.hold(nodeName, holder, nowMs)
    return null
  }

  /** Who called, by its certificate; or why it is none of us. */
  #memberOf({ certificate }: Caller): NodeCertificate | AnswerOf<'refused'> {
    if (certificate === null) {
      return refuse('no-certificate', 'only members may ask for that; join with a token first')
    }
    const { clock, identity, isRemoved } = this.#options
    const { authority, cluster } = identity()
    const member = readNodeCertificate(authority, certificate)
    if (typeof member === 'string') {
      return refuse('wrong-cluster', `that certificate is not of the cluster ${cluster.name}`)
    }
    const { nodeName, notAfterMs } = member
    if (isRemoved(member.nodeId)) {
      return refuse('removed-member',
        `${nodeName} was removed from the cluster; join again with a token`)
    }
    const fault = validityFault(member, clock.wallMs())
    if (fault === null) return member
    const why = fault === 'expired-certificate'
      ? `expired at ${new Date(notAfterMs).toISOString()}` : 'is not valid yet'
    return refuse('expired-certificate',
      `the certificate of ${nodeName} ${why}; join again with a token`)
  }

  /** What every member knows, and the join secrets, which managers know besides. */
  #sharedWith({ role }: Member): Readonly<{ ring: string; secrets: AnswerOf<'keys'>['secrets'] }> {
    const { ring, secrets } = this.#options.identity()
    const isShared = role === 'manager' && secrets !== null
    return {
      ring: encodeRing(ring),
      secrets: isShared
        ? { worker: formatBase36(secrets.worker), manager: formatBase36(secrets.manager) } : null,
    }
  }
}

/** The key that a request asks to be certified, or null when the caller has not shown it has it. */
function provenKey(
  request: Readonly<{ publicKey: string; proof: string }>, exporter: Uint8Array,
): KeyObject | null {
  try {
    const octets = Buffer.from(request.publicKey, 'base64')
    const key = createPublicKey({ key: octets, format: 'der', type: 'spki' })
    if (key.asymmetricKeyType !== 'ed25519') return null
    const proof = Buffer.from(request.proof, 'base64')
    return verify(null, proofOctets(exporter, octets), key, proof) ? key : null
  } catch {
    return null
  }
}

function refuse(
  reason: Refusal, text: string, retryAfterMs: number | null = null,
): AnswerOf<'refused'> {
  const printable = text.replaceAll(/[^ -~]/g, '?').slice(0, TEXT_LENGTH_MAX)
  const retryMs = retryAfterMs === null ? null : Math.min(Math.ceil(retryAfterMs), RETRY_MS_MAX)
  return { type: 'refused', reason, text: printable, retryAfterMs: retryMs }
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64')
}
