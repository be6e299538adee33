// Sockets of the underlay: those that receive on the VXLAN port, one for each worker, and several
// that only send, each from its own source port, because a flow's hash chooses the outer source
// port (RFC 7348 section 5) and a UDP socket has exactly one.
import { KernelError, ConflictError } from '../base/errors.ts'
import { formatIpv4 } from '../base/text.ts'
import {
  AF_INET, EADDRINUSE, EADDRNOTAVAIL, IPPROTO_IP, IPPROTO_UDP, IP_MTU_DISCOVER, IP_PMTUDISC_DO,
  IP_PMTUDISC_PROBE, IP_RECVTOS, IP_TTL, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, SOL_SOCKET,
  SO_MEMINFO, SO_NO_CHECK, SO_RCVBUFFORCE, SO_REUSEPORT, SO_SNDBUFFORCE, UDP_GRO, UDP_SEGMENT,
} from './constants.ts'
import { socketAddress } from './socket-address.ts'
import { attachFilter, REFUSE_ALL } from './socket-filter.ts'
import { bind, close, getsockopt, setsockopt, socket } from './syscalls.ts'

/**
 * RFC 7348 section 5 gives 49152 to 65535. The first of them is left out: tcpdump takes it for a
 * protocol of its own (BCM-LI-SHIM) and would not show what is inside.
 */
export const SOURCE_PORT_FIRST = 49_153
export const SOURCE_PORTS = 16_383
/** Sending sockets at most; there is always a power of two of them. */
export const SENDERS_MAX = 16
export const SOCKET_BUFFER_OCTETS = 8 << 20
const SK_MEMINFO_DROPS = 8 // linux/sock_diag.h

export type UnderlaySpec = Readonly<{
  address: number
  port: number
  ttl: number
  /** Outer UDP checksum: real, or zero as RFC 7348 section 5 also allows. */
  udpChecksum: boolean
  /** MTU of the underlay's device. */
  mtu: number
  /** Whether to use UDP_SEGMENT and UDP_GRO where the kernel has them. */
  segment: boolean
  gro: boolean
  /**
   * Sockets that receive. The kernel chooses among them by a hash of outer addresses and ports, so
   * what came from one source port is read from one of them, in order.
   */
  receivers: number
  /** Sockets that send, each from a source port of its own: a power of two. */
  senders: number
}>

export type UnderlaySockets = Readonly<{
  receivers: number[]
  senders: number[]
  ports: number[]
  /** The largest datagram of a train, 0: no trains, because the kernel or the setting has none. */
  segmentMax: number
  /** Whether trains arrive whole. */
  gro: boolean
}>

/** IPv4 and UDP header in front of a datagram. */
const DATAGRAM_OVERHEAD_OCTETS = 28

/**
 * Open the sockets, or none.
 * @throws ConflictError when the port is taken, KernelError for all else
 */
export function openUnderlay(spec: UnderlaySpec): UnderlaySockets {
  const opened: number[] = []
  try {
    const receivers: number[] = []
    while (receivers.length < spec.receivers) {
      receivers.push(openReceiver(spec, receivers.length === 0, opened))
    }
    const gro = spec.gro && receivers.every(fd => trySet(fd, IPPROTO_UDP, UDP_GRO, 1))
    const ports: number[] = []
    const senders: number[] = []
    for (let i = 0; i < spec.senders; i++) {
      const sender = openSocket(spec, opened)
      attachFilter(sender, REFUSE_ALL) // it must not collect what strangers send to its port
      ports.push(bindSourcePort(sender, spec, i))
      senders.push(sender)
    }
    return { receivers, senders, ports, gro, segmentMax: segmentMax(spec, senders[0]!) }
  } catch (error) {
    for (const fd of opened) close(fd)
    throw error
  }
}

export function closeUnderlay(sockets: UnderlaySockets): void {
  for (const fd of [...sockets.receivers, ...sockets.senders]) close(fd)
}

/**
 * Whether we measure the paths ourselves. The kernel then no longer applies what routers, or
 * whoever forges their words, told it about the path of a datagram, and remembers for ten minutes
 * (ip(7), IP_MTU_DISCOVER). Either way nothing is ever fragmented.
 */
export function takeOverPathMtu(sockets: UnderlaySockets, ours: boolean): void {
  const mode = ours ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DO
  for (const fd of sockets.senders) set(fd, IPPROTO_IP, IP_MTU_DISCOVER, mode)
}

/** Datagrams that the kernel dropped because the receive buffer was full, since it was opened. */
export function receiveQueueDrops(fd: number): number {
  const value = new Uint8Array(9 * 4)
  const octets = getsockopt(fd, SOL_SOCKET, SO_MEMINFO, value)
  if (octets < (SK_MEMINFO_DROPS + 1) * 4) return 0
  return new DataView(value.buffer).getUint32(SK_MEMINFO_DROPS * 4, true)
}

function openSocket(spec: UnderlaySpec, opened: number[]): number {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) throw new KernelError('socket', -fd)
  opened.push(fd)
  set(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER_OCTETS)
  set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER_OCTETS)
  set(fd, IPPROTO_IP, IP_TTL, spec.ttl)
  // A VTEP must not fragment (RFC 7348 section 4.3): what does not fit is refused and counted.
  set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
  if (!spec.udpChecksum) set(fd, SOL_SOCKET, SO_NO_CHECK, 1)
  return fd
}

/**
 * The first is bound alone, so that a port which somebody has is refused; only then does it let
 * others join.
 */
function openReceiver(spec: UnderlaySpec, isFirst: boolean, opened: number[]): number {
  const fd = openSocket(spec, opened)
  if (!isFirst) set(fd, SOL_SOCKET, SO_REUSEPORT, 1)
  const bound = bind(fd, socketAddress(spec.address, spec.port))
  if (bound < 0) throw bindError(-bound, spec)
  if (isFirst && spec.receivers > 1) set(fd, SOL_SOCKET, SO_REUSEPORT, 1)
  set(fd, IPPROTO_IP, IP_RECVTOS, 1)
  return fd
}

function bindError(errno: number, spec: UnderlaySpec): Error {
  const where = `${formatIpv4(spec.address)}:${spec.port}`
  if (errno === EADDRINUSE) {
    return new ConflictError(`UDP ${where} is in use by another program (see: ss -ulpn); `
      + 'stop it, or choose another underlay.port', { address: where })
  }
  const hint = errno === EADDRNOTAVAIL
    ? 'this machine does not have the address; set underlay.address' : ''
  return new KernelError('bind', errno, { address: where }, hint)
}

/** The i-th part of the source port range, from its first free port on. */
function bindSourcePort(fd: number, spec: UnderlaySpec, i: number): number {
  const part = Math.floor(SOURCE_PORTS / spec.senders)
  const first = SOURCE_PORT_FIRST + i * part
  let result = 0
  for (let port = first; port < first + part; port++) {
    if (port === spec.port) continue
    result = bind(fd, socketAddress(spec.address, port))
    if (result >= 0) return port
    if (result !== -EADDRINUSE) break
  }
  throw bindError(-result, { ...spec, port: first })
}

/** A train's datagrams need real checksums, and none may be larger than the device takes. */
function segmentMax(spec: UnderlaySpec, sender: number): number {
  const works = spec.segment && spec.udpChecksum && trySet(sender, IPPROTO_UDP, UDP_SEGMENT, 0)
  return works ? spec.mtu - DATAGRAM_OVERHEAD_OCTETS : 0
}

/** Answers whether the kernel knows the option. */
function trySet(fd: number, level: number, name: number, value: number): boolean {
  return setsockopt(fd, level, name, new Uint8Array(new Int32Array([value]).buffer)) >= 0
}

function set(fd: number, level: number, name: number, value: number): void {
  const result = setsockopt(fd, level, name, new Uint8Array(new Int32Array([value]).buffer))
  if (result < 0) throw new KernelError('setsockopt', -result, { level, name, value })
}
