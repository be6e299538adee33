// Why a node is not let in, or does not go in: what the other side said, and what was found here.
import { ConflictError, type Facts } from '../../base/errors.ts'

/** What a member answers; it stands in the answer and in the counters. */
export const REFUSALS = [
  'wrong-token', 'too-many-failures', 'bad-request', 'bad-proof', 'other-protocol', 'not-a-manager',
  'name-in-use', 'not-admitted', 'no-certificate', 'wrong-cluster', 'expired-certificate',
  'removed-member', 'no-log', 'failed',
] as const
export type Refusal = (typeof REFUSALS)[number]

/** What the asking side finds out by itself. */
export type JoinFault =
  | 'unreachable' | 'no-answer' | 'not-a-tapmesh' | 'clock' | 'no-manager' | 'bad-answer'
  | 'cancelled'

/** Nothing was changed on this node. `reason` is for programs, the text for people. */
export class JoinError extends ConflictError {
  readonly reason: Refusal | JoinFault
  constructor(reason: Refusal | JoinFault, message: string, facts: Facts = {}) {
    super(message, { ...facts, reason })
    this.reason = reason
  }
}

/** What went wrong, as text; for errors of any kind. */
export function reasonText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
