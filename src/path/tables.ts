// hot: look-ups in the table image that is in use
import { hash3 } from './hash.ts'
import {
  HEAD_AT_ADDRESS_INDEX, HEAD_AT_BACKENDS, HEAD_AT_BACKEND_IDS, HEAD_AT_BALANCED,
  HEAD_AT_MAC_INDEX, HEAD_AT_MEMBERS, HEAD_AT_MEMBER_INDEX, HEAD_AT_NETWORKS, HEAD_AT_PICKS,
  HEAD_AT_PORTS, HEAD_AT_PORT_LISTS, HEAD_AT_PUBLISHED, HEAD_AT_PUBLISHED_INDEX, HEAD_AT_SERVICES,
  HEAD_AT_STATIONS, HEAD_AT_VNI_INDEX, HEAD_GENERATION, HEAD_HOST_SLOT, HEAD_MEMBERS,
  HEAD_NETWORKS, HEAD_SEED, HEAD_SLOTS, MEMBER_ADDRESS, MEMBER_NETWORK, MEMBER_WORDS, NETWORK_VNI,
  NETWORK_WORDS, PORT_WORDS, STATION_ADDRESS, STATION_KEY, STATION_MAC_LOW, STATION_WORDS,
} from './image.ts'
import { PUBLISHED_KEY, PUBLISHED_WORDS, publishedKey } from './published-image.ts'
import {
  BACKEND_ADDRESS, BACKEND_MARK, BACKEND_WORDS, SERVICE_BACKENDS, SERVICE_FIRST_BACKEND,
  SERVICE_NETWORK, SERVICE_WORDS,
} from './service-image.ts'

/** An image opened: its words, and where each table begins in them. */
export type Tables = Readonly<{
  words: Int32Array
  generation: number
  seed: number
  networkCount: number
  /** Port slots, empty ones included. */
  slotCount: number
  memberCount: number
  networks: number
  ports: number
  portLists: number
  members: number
  stations: number
  vniIndex: number
  memberIndex: number
  macIndex: number
  addressIndex: number
  services: number
  backends: number
  backendIds: number
  picks: number
  balanced: number
  published: number
  publishedIndex: number
  /** Slot of the way to the host, or -1. */
  hostSlot: number
}>

export function makeTables(image: ArrayBuffer): Tables {
  const words = new Int32Array(image)
  return {
    words,
    generation: words[HEAD_GENERATION]!,
    seed: words[HEAD_SEED]!,
    networkCount: words[HEAD_NETWORKS]!,
    slotCount: words[HEAD_SLOTS]!,
    memberCount: words[HEAD_MEMBERS]!,
    networks: words[HEAD_AT_NETWORKS]!,
    ports: words[HEAD_AT_PORTS]!,
    portLists: words[HEAD_AT_PORT_LISTS]!,
    members: words[HEAD_AT_MEMBERS]!,
    stations: words[HEAD_AT_STATIONS]!,
    vniIndex: words[HEAD_AT_VNI_INDEX]!,
    memberIndex: words[HEAD_AT_MEMBER_INDEX]!,
    macIndex: words[HEAD_AT_MAC_INDEX]!,
    addressIndex: words[HEAD_AT_ADDRESS_INDEX]!,
    services: words[HEAD_AT_SERVICES]!,
    backends: words[HEAD_AT_BACKENDS]!,
    backendIds: words[HEAD_AT_BACKEND_IDS]!,
    picks: words[HEAD_AT_PICKS]!,
    balanced: words[HEAD_AT_BALANCED]!,
    published: words[HEAD_AT_PUBLISHED]!,
    publishedIndex: words[HEAD_AT_PUBLISHED_INDEX]!,
    hostSlot: words[HEAD_HOST_SLOT]!,
  }
}

/** A word of a network's row, by one of the NETWORK_ names. */
export function networkWord(tables: Tables, network: number, which: number): number {
  return tables.words[tables.networks + network * NETWORK_WORDS + which]!
}

/** A word of a port's row, by one of the PORT_ names. */
export function portWord(tables: Tables, slot: number, which: number): number {
  return tables.words[tables.ports + slot * PORT_WORDS + which]!
}

/** A word of a member's row, by one of the MEMBER_ names. */
export function memberWord(tables: Tables, member: number, which: number): number {
  return tables.words[tables.members + member * MEMBER_WORDS + which]!
}

/** A word of a station's row, by one of the STATION_ names. */
export function stationWord(tables: Tables, station: number, which: number): number {
  return tables.words[tables.stations + station * STATION_WORDS + which]!
}

/** A word of a service's row, by one of the SERVICE_ names. */
export function serviceWord(tables: Tables, service: number, which: number): number {
  return tables.words[tables.services + service * SERVICE_WORDS + which]!
}

/** A word of a backend's row, by one of the BACKEND_ names. */
export function backendWord(tables: Tables, backend: number, which: number): number {
  return tables.words[tables.backends + backend * BACKEND_WORDS + which]!
}

/** Row of the backend with this id, or -1. */
export function findBackend(tables: Tables, id: number): number {
  if (id >= tables.picks - tables.backendIds) return -1
  return tables.words[tables.backendIds + id]! - 1
}

/**
 * Row of the backend of the network that has this address, or -1. It looks at all of them: nothing
 * for every packet.
 */
export function findBackendAt(tables: Tables, network: number, address: number): number {
  const services = (tables.backends - tables.services) / SERVICE_WORDS
  for (let service = 0; service < services; service++) {
    if (serviceWord(tables, service, SERVICE_NETWORK) !== network) continue
    const first = serviceWord(tables, service, SERVICE_FIRST_BACKEND)
    const last = first + serviceWord(tables, service, SERVICE_BACKENDS)
    for (let backend = first; backend < last; backend++) {
      if (backendWord(tables, backend, BACKEND_ADDRESS) === address) return backend
    }
  }
  return -1
}

/** Whether the backend with this id is still that of the service `mark`, at this address. */
export function servesStill(tables: Tables, id: number, address: number, mark: number): boolean {
  const backend = findBackend(tables, id)
  return backend >= 0 && backendWord(tables, backend, BACKEND_ADDRESS) === address
    && backendWord(tables, backend, BACKEND_MARK) === mark
}

/** A word of a published port's row, by one of the PUBLISHED_ names. */
export function publishedWord(tables: Tables, published: number, which: number): number {
  return tables.words[tables.published + published * PUBLISHED_WORDS + which]!
}

/** Row of the published port, or -1. */
export function findPublished(tables: Tables, protocol: number, port: number): number {
  const words = tables.words
  const mask = words[tables.publishedIndex]!
  const key = publishedKey(protocol, port)
  let bucket = hash3(tables.seed, key, 0, 0) & mask
  for (;;) {
    const row = words[tables.publishedIndex + 1 + bucket]! - 1
    if (row < 0 || publishedWord(tables, row, PUBLISHED_KEY) === key) return row
    bucket = (bucket + 1) & mask
  }
}

/** Whether this station is the backend of a service. */
export function isBalanced(tables: Tables, station: number): boolean {
  return (tables.words[tables.balanced + (station >> 5)]! >> (station & 31) & 1) === 1
}

/** The slot of the n-th port in the lists that networks point into. */
export function listedSlot(tables: Tables, n: number): number {
  return tables.words[tables.portLists + n]!
}

/** Index of the network with this VNI, or -1. */
export function findNetwork(tables: Tables, vni: number): number {
  const words = tables.words
  const mask = words[tables.vniIndex]!
  let bucket = hash3(tables.seed, vni, 0, 0) & mask
  for (;;) {
    const row = words[tables.vniIndex + 1 + bucket]! - 1
    if (row < 0 || networkWord(tables, row, NETWORK_VNI) === vni) return row
    bucket = (bucket + 1) & mask
  }
}

/** Index of the VTEP with this address in the network, or -1. */
export function findMember(tables: Tables, network: number, address: number): number {
  const words = tables.words
  const mask = words[tables.memberIndex]!
  let bucket = hash3(tables.seed, network, address, 0) & mask
  for (;;) {
    const row = words[tables.memberIndex + 1 + bucket]! - 1
    if (row < 0) return -1
    if (memberWord(tables, row, MEMBER_ADDRESS) === address
      && memberWord(tables, row, MEMBER_NETWORK) === network) return row
    bucket = (bucket + 1) & mask
  }
}

/** Row of the station, here or on another node, that was given this MAC, or -1. */
export function findStation(tables: Tables, network: number, high: number, low: number): number {
  const words = tables.words
  const mask = words[tables.macIndex]!
  const key = network << 16 | high
  let bucket = hash3(tables.seed, key, low, 0) & mask
  for (;;) {
    const row = words[tables.macIndex + 1 + bucket]! - 1
    if (row < 0) return -1
    const at = tables.stations + row * STATION_WORDS
    if (words[at + STATION_MAC_LOW] === low && words[at + STATION_KEY] === key) return row
    bucket = (bucket + 1) & mask
  }
}

/** Row of the station, here or on another node, that was given this IPv4 address, or -1. */
export function findStationByAddress(tables: Tables, network: number, address: number): number {
  const words = tables.words
  const mask = words[tables.addressIndex]!
  let bucket = hash3(tables.seed, network, address, 1) & mask
  for (;;) {
    const row = words[tables.addressIndex + 1 + bucket]! - 1
    if (row < 0) return -1
    const at = tables.stations + row * STATION_WORDS
    if (words[at + STATION_ADDRESS] === address && words[at + STATION_KEY]! >> 16 === network) {
      return row
    }
    bucket = (bucket + 1) & mask
  }
}
