// A table image: all that the packet worker must know of networks, endpoints and VTEPs, as one
// buffer that is handed over whole. The worker sees one generation at a time and never a
// half-written row. This file builds images from plain rows; tables.ts reads them.
import { assert } from '../base/assert.ts'
import { hash3 } from './hash.ts'

export type NetworkRow = {
  vni: number
  mtu: number
  /** Learned entries that this network may have. */
  learnedMax: number
}

export type PortRow = {
  /** Never used again, so that a new port in an old slot is seen as new. */
  id: number
  /** 0 to PORTS_MAX - 1, kept as long as the port lives. */
  slot: number
  fd: number
  /** Index into the network rows. */
  network: number
  macHigh: number
  macLow: number
  address: number
  /** The IPv6 link-local address as four 32-bit words. */
  linkLocal: readonly [number, number, number, number]
  promiscuous: boolean
}

/** A VTEP of one network: flooded frames go to each of them. */
export type MemberRow = {
  network: number
  address: number
  port: number
  /** It finishes inner checksums for us: remote checksum offload, agreed on with it. */
  remoteChecksum?: boolean
}

export type ImageRows = {
  generation: number
  networks: NetworkRow[]
  ports: PortRow[]
  members: MemberRow[]
}

export const PORTS_MAX = 1024
export const NETWORKS_MAX = 1024
export const MEMBERS_MAX = 16_384

export const HEAD_GENERATION = 0
export const HEAD_NETWORKS = 1
export const HEAD_SLOTS = 2
export const HEAD_MEMBERS = 3
export const HEAD_AT_NETWORKS = 4
export const HEAD_AT_PORTS = 5
export const HEAD_AT_PORT_LISTS = 6
export const HEAD_AT_MEMBERS = 7
export const HEAD_AT_VNI_INDEX = 8
export const HEAD_AT_MEMBER_INDEX = 9
export const HEAD_AT_MAC_INDEX = 10
export const HEAD_AT_ADDRESS_INDEX = 11
const HEAD_WORDS = 12

export const NETWORK_VNI = 0
export const NETWORK_MTU = 1
export const NETWORK_FIRST_MEMBER = 2
export const NETWORK_MEMBERS = 3
export const NETWORK_FIRST_PORT = 4
export const NETWORK_PORTS = 5
export const NETWORK_LEARNED_MAX = 6
export const NETWORK_WORDS = 7

export const PORT_ID = 0
export const PORT_FD = 1
export const PORT_NETWORK = 2 // -1: the slot is empty
export const PORT_MAC_HIGH = 3
export const PORT_MAC_LOW = 4
export const PORT_ADDRESS = 5
export const PORT_PROMISCUOUS = 6
export const PORT_LINK_LOCAL = 7
export const PORT_WORDS = 11

export const MEMBER_NETWORK = 0
export const MEMBER_ADDRESS = 1
export const MEMBER_PORT = 2
export const MEMBER_REMOTE_CHECKSUM = 3
export const MEMBER_WORDS = 4

/** Every index is a word `mask`, then mask + 1 words that are 0 or a row number plus one. */
export const INDEX_SEED = 0x7a6d6573

export function buildImage(rows: ImageRows): ArrayBuffer {
  assert(rows.networks.length <= NETWORKS_MAX, 'networks fit')
  assert(rows.members.length <= MEMBERS_MAX, 'members fit')
  const members = rows.members.toSorted((a, b) => a.network - b.network)
  const ports = rows.ports.toSorted((a, b) => a.network - b.network || a.slot - b.slot)
  const slots = ports.reduce((max, port) => Math.max(max, port.slot + 1), 0)
  assert(slots <= PORTS_MAX, 'ports fit')
  const parts = [
    networkWords(rows.networks, ports, members),
    portWords(ports, slots),
    Int32Array.from(ports, port => port.slot),
    Int32Array.from(members.flatMap(m =>
      [m.network, m.address, m.port, m.remoteChecksum === true ? 1 : 0])),
    makeIndex(rows.networks.length, n => hash3(INDEX_SEED, rows.networks[n]!.vni, 0, 0)),
    makeIndex(members.length, n => hash3(INDEX_SEED, members[n]!.network, members[n]!.address, 0)),
    makeIndex(ports.length, n => {
      const port = ports[n]!
      return hash3(INDEX_SEED, port.network, port.macHigh, port.macLow)
    }),
    makeIndex(ports.length, n => hash3(INDEX_SEED, ports[n]!.network, ports[n]!.address, 1)),
  ]
  const words = new Int32Array(HEAD_WORDS + parts.reduce((sum, part) => sum + part.length, 0))
  words.set([rows.generation, rows.networks.length, slots, members.length])
  let at = HEAD_WORDS
  parts.forEach((part, n) => {
    words[HEAD_AT_NETWORKS + n] = at
    words.set(part, at)
    at += part.length
  })
  return words.buffer
}

/** @param ports, members sorted by network, so that each network owns one run of them */
function networkWords(networks: NetworkRow[], ports: PortRow[], members: MemberRow[]): Int32Array {
  const words = new Int32Array(networks.length * NETWORK_WORDS)
  networks.forEach((network, n) => {
    words.set([network.vni, network.mtu, 0, 0, 0, 0, network.learnedMax], n * NETWORK_WORDS)
  })
  noteRuns(words, NETWORK_FIRST_MEMBER, NETWORK_MEMBERS, members)
  noteRuns(words, NETWORK_FIRST_PORT, NETWORK_PORTS, ports)
  return words
}

/** Write where each network's run of `rows` begins, and how long it is; an absent one is 0 long. */
function noteRuns(words: Int32Array, first: number, count: number,
  rows: readonly { network: number }[]): void {
  rows.forEach(({ network }, row) => {
    const at = network * NETWORK_WORDS
    if (words[at + count] === 0) words[at + first] = row
    words[at + count]! += 1
  })
}

function portWords(ports: PortRow[], slots: number): Int32Array {
  const words = new Int32Array(slots * PORT_WORDS)
  for (let slot = 0; slot < slots; slot++) words[slot * PORT_WORDS + PORT_NETWORK] = -1
  for (const port of ports) {
    words.set([
      port.id, port.fd, port.network, port.macHigh, port.macLow, port.address,
      port.promiscuous ? 1 : 0, ...port.linkLocal,
    ], port.slot * PORT_WORDS)
  }
  return words
}

/** Open addressing over `count` rows, at most half full. */
function makeIndex(count: number, hashOf: (row: number) => number): Int32Array {
  let size = 4
  while (size < count * 2) size *= 2
  const index = new Int32Array(1 + size)
  index[0] = size - 1
  for (let row = 0; row < count; row++) {
    let bucket = hashOf(row) & (size - 1)
    while (index[1 + bucket] !== 0) bucket = (bucket + 1) & (size - 1)
    index[1 + bucket] = row + 1
  }
  return index
}
