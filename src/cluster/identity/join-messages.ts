// The lines of the join protocol: JSON, one a line, over TLS 1.3. The member that was called says
// hello; the caller asks for one thing; the member answers, and the connection ends; output of
// tasks may be asked for again and again. Everything that comes is held to these shapes.
import { isIP } from 'node:net'
import { z } from 'zod'
import { RING_TEXT_LENGTH_MAX } from './keyring.ts'
import { NODE_NAME, ROLES } from './member.ts'
import { REFUSALS } from './join-error.ts'

/** Of this protocol. Two that differ do not understand each other. */
export const JOIN_PROTOCOL = 1
/** ALPN, RFC 7301: by this a tapmesh knows another before anything is said. */
export const JOIN_ALPN = 'tapmesh-join'
/** RFC 8446 section 7.5: binds a request to its connection, so that no other can repeat it. */
export const EXPORTER_LABEL = 'EXPORTER-tapmesh-join'
export const EXPORTER_OCTETS = 32

export const REQUEST_OCTETS_MAX = 4096
/** Of hello and answer. */
export const ANSWER_OCTETS_MAX = 65_536
/** Of a task's output in one answer, which is a third longer in base 64. */
export const LOG_OCTETS_MAX = 45_000
export const ADDRESSES_MAX = 64
/** From the connection to the last octet of the answer. */
export const CONNECTION_TIMEOUT_MS = 10_000
export const TEXT_LENGTH_MAX = 500
export const RETRY_MS_MAX = 600_000

/** Printable, since it is shown on terminals. */
const text = (lengthMax: number) => z.string().max(lengthMax).regex(/^[ -~]*$/)
const base64 = (octetsMax: number) => z.base64().max(4 * Math.ceil(octetsMax / 3))
const port = z.int().min(1).max(65_535)
const version = text(64)
const address = z.strictObject({
  host: z.string().max(45).refine(host => isIP(host) !== 0, 'not an address'), port,
})
const addresses = z.array(address).max(ADDRESSES_MAX)
const protocol = z.int().min(0).max(65_535)

const hello = z.object({
  type: z.literal('hello'),
  protocol,
  version,
  /** Milliseconds since 1970, by the clock of the member. */
  timeMs: z.number().min(0).max(Number.MAX_SAFE_INTEGER),
  clusterName: z.string().regex(NODE_NAME),
  /** Whom a worker sends joiners to. */
  managers: addresses,
})

/** Certifies `publicKey`, SPKI; `proof` is its signature over proofOctets. */
const keyRequest = { protocol, version, publicKey: base64(64), proof: base64(64), port }
const join = z.strictObject({
  type: z.literal('join'),
  ...keyRequest,
  secret: z.string().regex(/^[0-9a-z]{25}$/),
  nodeName: z.string().regex(NODE_NAME),
  address: z.ipv4(),
})
const renew = z.strictObject({ type: z.literal('renew'), ...keyRequest, address: z.ipv4() })
const keys = z.strictObject({ type: z.literal('keys'), protocol, version })
/** A piece of a task's output, from octet `from` on, or from its last `tail` lines on. */
const log = z.strictObject({
  type: z.literal('log'), protocol, version,
  container: z.string().regex(/^[0-9a-f]{64}$/),
  from: z.int().min(0).nullable(),
  tail: z.int().min(0).nullable(),
})
const request = z.discriminatedUnion('type', [join, renew, keys, log])

/** Join secrets as digits of base 36; null for workers. */
const secrets = z.strictObject({
  worker: z.string().length(25), manager: z.string().length(25),
}).nullable()
const ring = z.string().max(RING_TEXT_LENGTH_MAX)
const joined = z.strictObject({
  type: z.literal('joined'),
  certificate: base64(2048),
  role: z.enum(ROLES),
  ring,
  secrets,
  /** PKCS 8, DER; null for workers. */
  authorityKey: base64(128).nullable(),
  insecure: z.boolean(),
  seeds: addresses,
})
const renewed = z.strictObject({
  type: z.literal('renewed'), certificate: base64(2048), ring, secrets,
})
const keysAnswer = z.strictObject({ type: z.literal('keys'), ring, secrets })
const logAnswer = z.strictObject({
  type: z.literal('log'),
  octets: base64(LOG_OCTETS_MAX),
  next: z.int().min(0),
  /** Its task has ended, and no more will come. */
  isOver: z.boolean(),
})
const refused = z.strictObject({
  type: z.literal('refused'),
  reason: z.enum(REFUSALS),
  text: text(TEXT_LENGTH_MAX),
  /** It may be different then. */
  retryAfterMs: z.int().min(0).max(RETRY_MS_MAX).nullable(),
})
const answer = z.discriminatedUnion('type', [joined, renewed, keysAnswer, logAnswer, refused])

export type Hello = z.output<typeof hello>
export type JoinRequest = z.output<typeof join>
export type LogRequest = z.output<typeof log>
export type RenewRequest = z.output<typeof renew>
export type Request = z.output<typeof request>
export type Answer = z.output<typeof answer>
export type AnswerOf<T extends Answer['type']> = Extract<Answer, { type: T }>

export function readHello(line: string): Hello | null {
  return read(line, hello)
}

/** Null, too, when the protocol is another: see protocolOf. */
export function readRequest(line: string): Request | null {
  return read(line, request)
}

export function readAnswer(line: string): Answer | null {
  return read(line, answer)
}

/** Which protocol a line is of, so that what a later version sends can be told from rubbish. */
export function protocolOf(line: string): number | null {
  return read(line, z.object({ protocol }))?.protocol ?? null
}

export function writeLine(message: Hello | Request | Answer): string {
  return `${JSON.stringify(message)}\n`
}

/** What the owner of a new key signs: that it has it, on this very connection. */
export function proofOctets(exporter: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from('tapmesh join 1\n'), exporter, publicKey])
}

function read<T>(line: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.safeParse(JSON.parse(line)).data ?? null
  } catch {
    return null
  }
}
