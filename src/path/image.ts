// A table image: all that the packet worker must know of networks, endpoints and VTEPs, as one
// buffer that is handed over whole. The worker sees one generation at a time and never a
// half-written row. This file builds images from the plain rows of image-rows.ts; tables.ts reads
// them.
import { assert } from '../base/assert.ts'
import { hash3 } from './hash.ts'
import { findRow, makeIndex } from './image-index.ts'
import type {
  ImageRows, MemberRow, NetworkRow, PortRow, RemoteRow, ServiceRow,
} from './image-rows.ts'
import { publishedWords } from './published-image.ts'
import {
  type FoundStation, serviceParts, VIRTUAL_MAC_HIGH, virtualAddresses,
} from './service-image.ts'

export const PORTS_MAX = 1024
export const NETWORKS_MAX = 1024
export const MEMBERS_MAX = 16_384
export const REMOTES_MAX = 65_536

export const HEAD_GENERATION = 0
export const HEAD_NETWORKS = 1
export const HEAD_SLOTS = 2
export const HEAD_MEMBERS = 3
export const HEAD_SEED = 4
export const HEAD_AT_NETWORKS = 5
export const HEAD_AT_PORTS = 6
export const HEAD_AT_PORT_LISTS = 7
export const HEAD_AT_MEMBERS = 8
export const HEAD_AT_STATIONS = 9
export const HEAD_AT_VNI_INDEX = 10
export const HEAD_AT_MEMBER_INDEX = 11
export const HEAD_AT_MAC_INDEX = 12
export const HEAD_AT_ADDRESS_INDEX = 13
export const HEAD_AT_SERVICES = 14
export const HEAD_AT_BACKENDS = 15
export const HEAD_AT_BACKEND_IDS = 16
export const HEAD_AT_PICKS = 17
export const HEAD_AT_BALANCED = 18
export const HEAD_AT_PUBLISHED = 19
export const HEAD_AT_PUBLISHED_INDEX = 20
/** Slot of the way to the host, or -1. */
export const HEAD_HOST_SLOT = 21
const HEAD_WORDS = 22

export const NETWORK_VNI = 0
export const NETWORK_MTU = 1
export const NETWORK_FIRST_MEMBER = 2
export const NETWORK_MEMBERS = 3
export const NETWORK_FIRST_PORT = 4
export const NETWORK_PORTS = 5
export const NETWORK_LEARNED_MAX = 6
export const NETWORK_STRICT = 7
/** Services that have a virtual address in it. */
export const NETWORK_SERVICES = 8
export const NETWORK_GATEWAY = 9
/** 1: nodes speak there for clients, and tasks with nodes only. */
export const NETWORK_INGRESS = 10
export const NETWORK_WORDS = 11

export const PORT_ID = 0
export const PORT_FD = 1
export const PORT_NETWORK = 2 // -1: the slot is empty
export const PORT_MAC_HIGH = 3
export const PORT_MAC_LOW = 4
export const PORT_ADDRESS = 5
export const PORT_PROMISCUOUS = 6
export const PORT_LINK_LOCAL = 7
export const PORT_READ = 11
/** 1: it is the backend of a service. */
export const PORT_BALANCED = 12
export const PORT_ROLE = 13
export const PORT_WORDS = 14

export const ROLE_TASK = 0
/** A task in the ingress network. */
export const ROLE_PUBLISHED = 1
export const ROLE_HOST = 2

export const MEMBER_NETWORK = 0
export const MEMBER_ADDRESS = 1
export const MEMBER_PORT = 2
export const MEMBER_REMOTE_CHECKSUM = 3
export const MEMBER_PROMISCUOUS = 4
export const MEMBER_MARKS_PARTIAL = 5
export const MEMBER_WORDS = 6

// Whom the control plane has given a MAC and an address: the ports, and the remote endpoints.
/** Network in the upper 16 bits, MAC high in the lower. */
export const STATION_KEY = 0
export const STATION_MAC_LOW = 1
export const STATION_ADDRESS = 2
/** Slot of a port, or ~member of a remote one; NOWHERE when its VTEP is no member. */
export const STATION_PLACE = 3
export const STATION_WORDS = 4
export const NOWHERE = ~MEMBERS_MAX
/** Places of addresses that are ours, below NOWHERE: the gateway's, the host's, the services'. */
export const PLACE_GATEWAY = NOWHERE - 1
export const PLACE_HOST = NOWHERE - 2
export const PLACE_FIRST_SERVICE = NOWHERE - 3

/** Seed of the indexes where the rows give none. */
export const INDEX_SEED = 0x7a6d6573

export function buildImage(rows: ImageRows): ArrayBuffer {
  const { networks, remotes = [], services = [], seed = INDEX_SEED } = rows
  assert(networks.length <= NETWORKS_MAX, 'networks fit')
  assert(rows.members.length <= MEMBERS_MAX, 'members fit')
  assert(remotes.length <= REMOTES_MAX, 'remote endpoints fit')
  const members = rows.members.toSorted((a, b) => a.network - b.network)
  const ports = rows.ports.toSorted((a, b) => a.network - b.network || a.slot - b.slot)
  const slots = ports.reduce((max, port) => Math.max(max, port.slot + 1), 0)
  assert(slots <= PORTS_MAX, 'ports fit')
  const memberIndex = makeIndex(members.length, n =>
    hash3(seed, members[n]!.network, members[n]!.address, 0))
  const stations = stationWords(rows, ports, remotes, members, memberIndex, seed)
  const stationCount = stations.length / STATION_WORDS
  const addressIndex = makeIndex(stationCount, n => {
    const at = n * STATION_WORDS
    return hash3(seed, stations[at + STATION_KEY]! >>> 16, stations[at + STATION_ADDRESS]!, 1)
  })
  const balanced = serviceParts(services, (network, address) =>
    findIn(stations, addressIndex, seed, network, address), NOWHERE, stationCount)
  const parts = [
    networkWords(networks, ports, members, services),
    portWords(ports, slots, balanced.balanced),
    Int32Array.from(ports, port => port.slot),
    memberWords(members),
    stations,
    makeIndex(networks.length, n => hash3(seed, networks[n]!.vni, 0, 0)),
    memberIndex,
    makeIndex(stationCount, n => {
      const at = n * STATION_WORDS
      return hash3(seed, stations[at + STATION_KEY]!, stations[at + STATION_MAC_LOW]!, 0)
    }),
    addressIndex,
    balanced.services, balanced.backends, balanced.backendIds, balanced.picks, balanced.balanced,
    ...publishedWords(rows, seed),
  ]
  const words = new Int32Array(HEAD_WORDS + parts.reduce((sum, part) => sum + part.length, 0))
  words.set([rows.generation, networks.length, slots, members.length, seed])
  words[HEAD_HOST_SLOT] = ports.find(port => port.role === 'host')?.slot ?? -1
  let at = HEAD_WORDS
  parts.forEach((part, n) => {
    words[HEAD_AT_NETWORKS + n] = at
    words.set(part, at)
    at += part.length
  })
  return words.buffer
}

/** @param ports, members sorted by network, so that each network owns one run of them */
function networkWords(networks: NetworkRow[], ports: PortRow[], members: MemberRow[],
  services: readonly ServiceRow[]): Int32Array {
  const words = new Int32Array(networks.length * NETWORK_WORDS)
  networks.forEach(({ vni, mtu, learnedMax, strict, gateway = 0, isIngress = false }, n) => {
    words.set([vni, mtu, 0, 0, 0, 0, learnedMax, strict === true ? 1 : 0, 0, gateway, +isIngress],
      n * NETWORK_WORDS)
  })
  for (const { network } of services) words[network * NETWORK_WORDS + NETWORK_SERVICES]! += 1
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

/** By the ROLE_ numbers. */
const ROLES: readonly PortRow['role'][] = [undefined, 'published', 'host']

/** @param balanced a bit for each station; ports are the first stations, in their order */
function portWords(ports: PortRow[], slots: number, balanced: Int32Array): Int32Array {
  const words = new Int32Array(slots * PORT_WORDS)
  for (let slot = 0; slot < slots; slot++) words[slot * PORT_WORDS + PORT_NETWORK] = -1
  ports.forEach((port, n) => {
    words.set([
      port.id, port.fd, port.network, port.macHigh, port.macLow, port.address,
      port.promiscuous ? 1 : 0, ...port.linkLocal, port.isRead === false ? 0 : 1,
      balanced[n >> 5]! >> (n & 31) & 1, ROLES.indexOf(port.role),
    ], port.slot * PORT_WORDS)
  })
  return words
}

function memberWords(members: MemberRow[]): Int32Array {
  const words = new Int32Array(members.length * MEMBER_WORDS)
  members.forEach((member, n) => {
    const { remoteChecksum = false, promiscuous = false, marksPartial = false } = member
    words.set([member.network, member.address, member.port, remoteChecksum ? 1 : 0,
      promiscuous ? 1 : 0, marksPartial ? 1 : 0], n * MEMBER_WORDS)
  })
  return words
}

type StationRow = Pick<RemoteRow, 'network' | 'macHigh' | 'macLow' | 'address'>

/** Ports first, so that they go before remote ones in the indexes too, and both before VIPs. */
function stationWords({ networks, services = [] }: ImageRows, ports: PortRow[],
  remotes: readonly RemoteRow[], members: MemberRow[], memberIndex: Int32Array,
  seed: number): Int32Array {
  const virtual = virtualAddresses(services, networks)
  const words = new Int32Array((ports.length + remotes.length + virtual.length) * STATION_WORDS)
  let at = 0
  const add = (row: StationRow, place: number): void => {
    words[at + STATION_KEY] = row.network << 16 | row.macHigh
    words[at + STATION_MAC_LOW] = row.macLow
    words[at + STATION_ADDRESS] = row.address
    words[at + STATION_PLACE] = place
    at += STATION_WORDS
  }
  for (const port of ports) add(port, port.role === 'host' ? PLACE_HOST : port.slot)
  for (const remote of remotes) {
    add(remote, placeOf(remote, members, memberIndex, seed))
  }
  for (const { network, address, service } of virtual) {
    add({ network, address, macHigh: VIRTUAL_MAC_HIGH, macLow: address },
      service < 0 ? PLACE_GATEWAY : PLACE_FIRST_SERVICE - service)
  }
  return words
}

/** The endpoint with this address, or null; a virtual address is none. */
function findIn(stations: Int32Array, index: Int32Array, seed: number, network: number,
  address: number): FoundStation | null {
  const row = findRow(index, hash3(seed, network, address, 1), station =>
    stations[station * STATION_WORDS + STATION_ADDRESS] === (address | 0)
      && stations[station * STATION_WORDS + STATION_KEY]! >> 16 === network)
  const at = row * STATION_WORDS
  const place = row < 0 ? NOWHERE - 1 : stations[at + STATION_PLACE]!
  return place < NOWHERE ? null : { row, place,
    macHigh: stations[at + STATION_KEY]! & 0xffff, macLow: stations[at + STATION_MAC_LOW]! }
}

function placeOf(remote: RemoteRow, members: MemberRow[], index: Int32Array, seed: number): number {
  const row = findRow(index, hash3(seed, remote.network, remote.member, 0), n =>
    members[n]!.network === remote.network && (members[n]!.address | 0) === (remote.member | 0))
  return row < 0 ? NOWHERE : ~row
}
