// The HTTP side of the API that is the same for every route: read a JSON body, check it, answer,
// and turn an error into a status and words.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { z } from 'zod'
import {
  ConflictError, LimitError, NotFoundError, TapmeshError, UsageError,
} from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { ErrorView } from './schema.ts'

export const BODY_OCTETS_MAX = 4 << 20
/** A body that is too long is read on, so that the answer is heard, but no further than this. */
const DISCARD_OCTETS_MAX = 64 << 20
/** Where the last element of an endless list of faults would help nobody. */
const FAULTS_MAX = 20

/** The body is longer than BODY_OCTETS_MAX: 413. */
class OversizeError extends LimitError {}

/** The method is not for this path: 405. */
export class MethodError extends UsageError {}

/** The daemon is stopping: 503. */
export class StoppingError extends TapmeshError {
  constructor() {
    super('TM_STOPPING', 'the daemon is stopping')
  }
}

/**
 * The JSON value of a request's body; an empty body is an empty object.
 * @throws LimitError   longer than BODY_OCTETS_MAX
 * @throws UsageError   not JSON
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  let lengthOctets = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    lengthOctets += part.length
    if (lengthOctets <= BODY_OCTETS_MAX) parts.push(part)
    if (lengthOctets > DISCARD_OCTETS_MAX) break
  }
  if (lengthOctets > BODY_OCTETS_MAX) {
    throw new OversizeError(`the body is longer than ${BODY_OCTETS_MAX} octets`)
  }
  if (lengthOctets === 0) return {}
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'))
  } catch (error) {
    throw new UsageError(`the body is not JSON: ${(error as Error).message}`)
  }
}

/**
 * `value` as `schema` gives it.
 * @throws UsageError that names every fault with its path, in its text and as facts
 */
export function check<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.slice(0, FAULTS_MAX).map(issue => ({
    path: pathText(issue.path),
    message: issue.message,
  }))
  const lines = faults.map(({ path, message }) => path === '' ? message : `${path}: ${message}`)
  const facts = Object.fromEntries(faults.map(({ path, message }) => [path, message]))
  throw new UsageError(lines.join('; '), facts)
}

/** ["networks", 0, "network"] -> "networks[0].network" */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    return text === '' ? String(key) : `${text}.${String(key)}`
  }, '')
}

export function answer(response: ServerResponse, status: number, body?: unknown): void {
  if (body === undefined) {
    response.writeHead(status).end()
    return
  }
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  }).end(text)
}

/**
 * Say what went wrong. What this program did not foresee is logged with its stack and answered
 * without it; after the headers only cutting the connection is left.
 */
export function answerError(response: ServerResponse, error: unknown, log: Log): void {
  const foreseen = error instanceof TapmeshError
  const request = { method: response.req.method, url: response.req.url }
  if (!foreseen) log.error({ ...request, err: error }, 'request failed')
  else if (statusOf(error) === 500) log.warn({ ...request, err: error }, 'request failed')
  if (response.destroyed) return
  if (response.headersSent) {
    response.destroy()
    return
  }
  const view: ErrorView = foreseen
    ? { error: { code: error.code, message: error.message, facts: { ...error.facts } } }
    : { error: { code: 'TM_INTERNAL', message: 'the daemon failed; its log says why', facts: {} } }
  if (!response.req.complete) response.setHeader('connection', 'close')
  answer(response, statusOf(error), view)
}

function statusOf(error: unknown): number {
  if (error instanceof OversizeError) return 413
  if (error instanceof MethodError) return 405
  if (error instanceof UsageError) return 400
  if (error instanceof NotFoundError) return 404
  if (error instanceof ConflictError || error instanceof LimitError) return 409
  return error instanceof StoppingError ? 503 : 500
}
