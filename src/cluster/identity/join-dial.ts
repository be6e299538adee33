// Call a member, and be sure of whom one speaks with before anything is said: its chain must end
// in the authority whose digest is known, and its clock must agree with ours.
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import type { Clock } from '../../base/clock.ts'
import {
  CLOCK_TOLERANCE_MS, formatPem, readAuthority, readNodeCertificate, validityFault,
  type AuthorityCertificate, type NodeCertificate,
} from './certificates.ts'
import { DialFaults } from './dial-faults.ts'
import type { Identity } from './identity.ts'
import type { JoinError } from './join-error.ts'
import {
  ANSWER_OCTETS_MAX, CONNECTION_TIMEOUT_MS, EXPORTER_LABEL, EXPORTER_OCTETS, JOIN_ALPN,
  JOIN_PROTOCOL, protocolOf, readAnswer, readHello, writeLine, type Answer, type Hello,
  type Request,
} from './join-messages.ts'
import { formatTarget, type Target } from './join-target.ts'
import { LineReader } from './line-reader.ts'

export type DialOptions = Readonly<{
  target: Target
  /** SHA-256 of the authority's certificate. */
  authorityDigest: Uint8Array
  /** What a member shows; a joiner has nothing. */
  own?: Pick<Identity, 'certificate' | 'privateKey'>
  clock: Clock
  timeoutMs?: number
  signal?: AbortSignal
}>

/** A member that has been made sure of. */
export type Line = Readonly<{
  authority: AuthorityCertificate
  peer: NodeCertificate
  hello: Hello
  exporter: Uint8Array
  /** Ask for one thing. @throws JoinError no answer, or none that can be understood */
  ask(request: Request): Promise<Answer>
  /** For what was answered and does not fit. */
  unclear(): JoinError
}>

/**
 * Call `target`, and talk. The connection ends with `talk`, or after `timeoutMs`.
 * @throws JoinError why it cannot be talked with; whatever `talk` throws
 */
export async function dial<T>(
  options: DialOptions, talk: (line: Line) => Promise<T>,
): Promise<T> {
  const { target, own, timeoutMs = CONNECTION_TIMEOUT_MS, signal } = options
  const faults = new DialFaults(target, timeoutMs)
  if (signal?.aborted === true) throw faults.cancelled()
  const socket = connect({
    host: target.host,
    port: target.port,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [JOIN_ALPN],
    ...(own === undefined ? {} : {
      cert: formatPem(own.certificate.octets),
      key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    }),
    // OpenSSL would ask the system's authorities and the system's clock. See memberAt.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  })
  const timer = setTimeout(() => socket.destroy(faults.late()), timeoutMs)
  const cancel = () => socket.destroy(faults.cancelled())
  signal?.addEventListener('abort', cancel)
  socket.on('error', error => faults.note(error))
  try {
    return await talk(await greet(socket, options, faults))
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
    socket.destroy()
  }
}

async function greet(socket: TLSSocket, options: DialOptions, faults: DialFaults): Promise<Line> {
  const { target, authorityDigest, clock } = options
  try {
    await once(socket, 'secureConnect')
  } catch (error) {
    throw faults.ofConnection(error)
  }
  const at = formatTarget(target)
  if (socket.alpnProtocol !== JOIN_ALPN) throw faults.stranger('it speaks TLS for something else')
  const lines = new LineReader(socket, ANSWER_OCTETS_MAX)
  const { authority, peer } = memberAt(socket, at, authorityDigest, faults)
  const calledMs = clock.wallMs()
  const name = `${peer.nodeName} (${at})`
  const text = await lines.next()
  if (text === null) throw faults.silent(name)
  const protocol = protocolOf(text)
  if (protocol !== null && protocol !== JOIN_PROTOCOL) {
    throw faults.of('other-protocol', `${name} speaks join protocol ${protocol}, this tapmesh `
      + `${JOIN_PROTOCOL}; run the same version everywhere`)
  }
  const hello = readHello(text)
  if (hello === null) throw faults.unclear(name)
  const nowMs = clock.wallMs()
  const wrong = clockFault(hello, peer, calledMs, nowMs)
  if (wrong !== null) throw faults.of('clock', wrong)
  const invalid = peerFault(peer, name, nowMs)
  if (invalid !== null) throw faults.of('expired-certificate', invalid)
  const exporter = socket.exportKeyingMaterial(EXPORTER_OCTETS, EXPORTER_LABEL, Buffer.alloc(0))
  const ask = async (request: Request): Promise<Answer> => {
    socket.write(writeLine(request))
    const line = await lines.next()
    if (line === null) throw faults.silent(name)
    const answer = readAnswer(line)
    if (answer === null) throw faults.unclear(name)
    return answer
  }
  return { authority, peer, hello, exporter, ask, unclear: () => faults.unclear(name) }
}

/** Who answers there. TLS has made sure that it has the key of the certificate that it shows. */
function memberAt(
  socket: TLSSocket, at: string, authorityDigest: Uint8Array, faults: DialFaults,
): { authority: AuthorityCertificate; peer: NodeCertificate } {
  const shown = socket.getPeerX509Certificate()
  const authority = readAuthority(shown?.issuerCertificate?.raw ?? new Uint8Array())
  if (authority === null || Buffer.compare(authority.digest, authorityDigest) !== 0) {
    throw faults.of('wrong-cluster', `${at} is a member of another cluster; check the address, and `
      + 'that the token is of this cluster')
  }
  const peer = readNodeCertificate(authority, shown?.raw ?? new Uint8Array())
  if (typeof peer === 'string') {
    throw faults.of('wrong-cluster', `${at} shows no certificate of this cluster (${peer})`)
  }
  return { authority, peer }
}

/** The member took its time between these two of ours. */
function clockFault(hello: Hello, peer: NodeCertificate, fromMs: number, toMs: number):
  string | null {
  const behindMs = hello.timeMs - toMs
  const aheadMs = fromMs - hello.timeMs
  const byMs = Math.max(behindMs, aheadMs)
  if (byMs <= CLOCK_TOLERANCE_MS) return null
  return `the clock of this machine is ${formatSpan(byMs)} `
    + `${behindMs > aheadMs ? 'behind' : 'ahead of'} that of ${peer.nodeName}, and `
    + `${CLOCK_TOLERANCE_MS / 1000} s are allowed; set it right, best by NTP`
}

function peerFault(peer: NodeCertificate, name: string, nowMs: number): string | null {
  const fault = validityFault(peer, nowMs)
  if (fault === null) return null
  const why = fault === 'expired-certificate'
    ? `expired at ${new Date(peer.notAfterMs).toISOString()}`
    : `is valid only from ${new Date(peer.notBeforeMs).toISOString()}`
  return `the certificate of ${name} ${why}; call another member, and renew that one`
}

/** "3 min 12 s", "5 h 0 min", "2 d 3 h": the two greatest parts. */
export function formatSpan(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`
}
