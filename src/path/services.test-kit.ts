// A lab with a service: clients and backends on two hosts, and what they send and get in words.
import { macOfAddress, parseIpv4 } from '../base/text.ts'
import { complementSum, sumOctets } from '../wire/checksum.ts'
import {
  type Ipv4Words, ether, ipv4, type Station, station, udp, viewOf, withChecksum, segmentOf,
} from './frames.test-kit.ts'
import type { Scheduler, ServiceRow } from './image-rows.ts'
import { Lab, type LabEndpoint, type LabHost, type LabOptions } from './lab.test-kit.ts'

export const VIP = station('10.0.1.100')
export const GATEWAY = station('10.0.1.1')
export const MARK = 256
export const SYN = 0x02
export const ACK = 0x10
export const FIN = 0x01
export const RST = 0x04

export type Backend = { id: number; address: string; weight?: number }

export function serviceRow(backends: readonly Backend[], scheduler: Scheduler = 'rr',
  over: Partial<ServiceRow> = {}): ServiceRow {
  return {
    mark: MARK, network: 0, address: parseIpv4(VIP.address), scheduler, ...over,
    backends: backends.map(({ id, address, weight = 1 }) =>
      ({ id, address: parseIpv4(address), weight })),
  }
}

/**
 * Two hosts that were told of each other: on the first a client and the backend "here", on the
 * second the backends "there" and "beyond".
 */
export function serviceLab(backends: readonly Backend[] = [{ id: 0, address: '10.0.1.9' }],
  scheduler: Scheduler = 'rr', options: LabOptions = {}) {
  const lab = new Lab({ hosts: 2, strict: true, ...options })
  const [one, two] = [lab.host(0), lab.host(1)]
  const client = one.addEndpoint('10.0.1.2')
  const here = one.addEndpoint('10.0.1.3')
  const there = two.addEndpoint('10.0.1.9')
  const beyond = two.addEndpoint('10.0.1.10')
  const serve = (...services: ServiceRow[]): void => {
    for (const host of lab.hosts) {
      for (const network of host.rows.networks) network.gateway = parseIpv4(GATEWAY.address)
      host.rows.services = services
    }
    lab.share()
  }
  serve(serviceRow(backends, scheduler))
  return { lab, one, two, client, here, there, beyond, serve }
}

/** A whole TCP frame. */
export function tcpFrame(from: Station, to: Station, ports: readonly [number, number],
  flags: number, payload: Uint8Array = new Uint8Array(), sequence = 1,
  acknowledgment = 1): Uint8Array {
  return segmentFrame(from, to, segmentOf(ports[0], ports[1], flags, sequence, acknowledgment,
    payload))
}

/** A whole SYN, or the answer to one, that says how much its sender takes in one segment. */
export function mssFrame(from: Station, to: Station, ports: readonly [number, number],
  flags: number, mss: number): Uint8Array {
  const segment = segmentOf(ports[0], ports[1], flags, 1, 1,
    Uint8Array.of(2, 4, mss >> 8, mss & 0xff))
  segment[12] = 0x60
  return segmentFrame(from, to, segment)
}

/** What a frame of mssFrame() says by now. */
export function mssOf(frame: Uint8Array): number {
  return viewOf(frame).getUint16(14 + 20 + 22)
}

function segmentFrame(from: Station, to: Station, segment: Uint8Array): Uint8Array {
  const words = { source: from.address, destination: to.address, protocol: 6 }
  return ether(to.mac, from.mac, 0x0800, withChecksum(ipv4(words, segment), 'right'))
}

/** A whole UDP frame. */
export function datagram(from: Station, to: Station, ports: readonly [number, number],
  payload: Uint8Array = new Uint8Array(8), over: Partial<Ipv4Words> = {}): Uint8Array {
  const words = { source: from.address, destination: to.address, protocol: 17, ...over }
  return ether(to.mac, from.mac, 0x0800,
    withChecksum(ipv4(words, udp(ports[0], ports[1], payload)), 'right'))
}

/** An ICMP message in a whole frame; its checksum is filled in. */
export function icmpFrame(from: Station, to: Station, message: Uint8Array,
  over: Partial<Ipv4Words> = {}): Uint8Array {
  const done = message.slice()
  const view = viewOf(done)
  view.setUint16(2, 0)
  view.setUint16(2, complementSum(sumOctets(view, 0, done.length, 0)))
  return ether(to.mac, from.mac, 0x0800, ipv4({ source: from.address, destination: to.address,
    protocol: 1, ...over }, done))
}

/** "10.0.1.2:5000 > 10.0.1.9:80" of a TCP or UDP frame; a MAC that is not the address's is told. */
export function endsOf(frame: Uint8Array): string {
  const view = viewOf(frame)
  const ip = (at: number) => Array.from(frame.subarray(at, at + 4)).join('.')
  const mac = (at: number) => Array.from(frame.subarray(at, at + 6),
    octet => octet.toString(16).padStart(2, '0')).join(':')
  const end = (ipAt: number, macAt: number, portAt: number) => {
    const address = ip(ipAt)
    const isOwn = mac(macAt) === macOfAddress(parseIpv4(address))
    return `${address}:${view.getUint16(portAt)}${isOwn ? '' : ` at ${mac(macAt)}`}`
  }
  return `${end(26, 6, 34)} > ${end(30, 0, 36)}`
}

/** What an endpoint got, in words. */
export function got(end: LabEndpoint): string[] {
  return end.takeAll().map(endsOf)
}

/** Open a connection through the VIP, all the way to established. Answers the backend's address. */
export function connect(lab: Lab, client: LabEndpoint, ends: readonly LabEndpoint[], port: number,
  vip: Station = VIP): LabEndpoint | undefined {
  client.send(tcpFrame(client, vip, [port, 80], SYN))
  lab.run()
  for (const end of ends) {
    const [syn] = end.takeAll()
    if (syn === undefined) continue
    answer(end, syn, SYN | ACK)
    lab.run()
    client.takeAll()
    client.send(tcpFrame(client, vip, [port, 80], ACK))
    lab.run()
    end.takeAll()
    return end
  }
  return undefined
}

/** What came as `frame` is answered by its receiver. */
export function answer(end: LabEndpoint, frame: Uint8Array, flags: number): void {
  const view = viewOf(frame)
  const from = station(Array.from(frame.subarray(26, 30)).join('.'))
  end.send(tcpFrame(end, from, [view.getUint16(36), view.getUint16(34)], flags))
}

export function used(host: LabHost): number {
  return host.plane.flows.own.head[0]!
}
