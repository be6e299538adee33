// The part of a table image that is about services: their virtual addresses, which are stations of
// their own kind, their backends, and what the schedulers look up.
import { assert } from '../base/assert.ts'
import { BACKENDS_MAX } from './flow-memory.ts'
import { type NetworkRow, SCHEDULERS, type ServiceRow } from './image-rows.ts'
import { maglevTable } from './maglev.ts'
import { turnsOf } from './turns.ts'

export const SERVICES_MAX = 4096
/** Backends of one service: entries of a Maglev table have 16 bits. */
export const BACKENDS_PER_SERVICE_MAX = 65_535

export const SERVICE_MARK = 0
export const SERVICE_ADDRESS = 1
/** Index into SCHEDULERS. */
export const SERVICE_SCHEDULER = 2
/** Row of its first backend, and how many follow one another from there. */
export const SERVICE_FIRST_BACKEND = 3
export const SERVICE_BACKENDS = 4
/** Where its turns begin in the picks, and how many they are; 0: nobody takes connections. */
export const SERVICE_AT_TURNS = 5
export const SERVICE_TURNS = 6
/** Where its Maglev table begins, two entries a word; -1: it has none. */
export const SERVICE_AT_MAGLEV = 7
export const SERVICE_NETWORK = 8
export const SERVICE_WORDS = 9

export const BACKEND_ADDRESS = 0
export const BACKEND_ID = 1
export const BACKEND_MARK = 2
export const BACKEND_WEIGHT = 3
/** As STATION_PLACE: NOWHERE when no endpoint has its address. */
export const BACKEND_PLACE = 4
export const BACKEND_MAC_HIGH = 5
export const BACKEND_MAC_LOW = 6
export const BACKEND_WORDS = 8

export const SCHEDULER_RR = 0
export const SCHEDULER_WRR = 1
export const SCHEDULER_LC = 2
export const SCHEDULER_SH = 3
export const SCHEDULER_MAGLEV = 4

/** First 16 bits of the MAC of a virtual address, whose last 32 are the address itself. */
export const VIRTUAL_MAC_HIGH = 0x0242

/** An endpoint that has the address of a backend. */
export type FoundStation = Readonly<{ row: number; place: number; macHigh: number; macLow: number }>

export type ServiceParts = Readonly<{
  services: Int32Array
  backends: Int32Array
  /** By id: row of the backend plus one, or 0. */
  backendIds: Int32Array
  picks: Int32Array
  /** A bit for each station: it is the backend of a service. */
  balanced: Int32Array
}>

/** Of which a table is made, and the table: most images have the same services as the last one. */
const maglevOf = new WeakMap<ServiceRow, Uint16Array>()

/**
 * @param find      the endpoint with this address, or null
 * @param nowhere   place of a backend that nobody has
 * @param stations  how many stations there are
 */
export function serviceParts(services: readonly ServiceRow[],
  find: (network: number, address: number) => FoundStation | null, nowhere: number,
  stations: number): ServiceParts {
  assert(services.length <= SERVICES_MAX, 'services fit')
  const backends: number[] = []
  const picks: number[] = []
  const balanced = new Int32Array(stations + 31 >> 5)
  const ids = services.flatMap(service => service.backends.map(({ id }) => id))
  const backendIds = new Int32Array(ids.reduce((most, id) => Math.max(most, id + 1), 0))
  assert(backendIds.length <= BACKENDS_MAX, 'backend ids are below their limit')
  const words = services.flatMap(service => {
    assert(service.backends.length <= BACKENDS_PER_SERVICE_MAX, 'backends fit')
    const first = backends.length / BACKEND_WORDS
    const found = service.backends.map(({ address }) => find(service.network, address))
    service.backends.forEach(({ address, id, weight }, n) => {
      const station = found[n]!
      if (station !== null) balanced[station.row >> 5]! |= 1 << (station.row & 31)
      backendIds[id] = first + n + 1
      backends.push(address, id, service.mark, weight, station?.place ?? nowhere,
        station?.macHigh ?? 0, station?.macLow ?? 0, 0)
    })
    const weights = service.backends.map(({ weight }, n) =>
      found[n] === null || found[n]!.place === nowhere ? 0 : weight)
    const turns = turnsOf(service.scheduler === 'wrr' ? weights
      : weights.map(weight => weight > 0 ? 1 : 0))
    const atTurns = picks.length
    for (const turn of turns) picks.push(first + turn)
    return [service.mark, service.address ?? 0, SCHEDULERS.indexOf(service.scheduler), first,
      service.backends.length, atTurns, turns.length, addMaglev(picks, service, weights),
      service.network]
  })
  return {
    services: Int32Array.from(words), backends: Int32Array.from(backends), backendIds,
    picks: Int32Array.from(picks), balanced,
  }
}

/** Answers where the table of the service stands among the picks, or -1. */
function addMaglev(picks: number[], service: ServiceRow, weights: readonly number[]): number {
  if (service.scheduler !== 'maglev' && service.scheduler !== 'sh') return -1
  if (weights.every(weight => weight === 0)) return -1
  const isAsGiven = service.backends.every(({ weight }, n) => weight === weights[n])
  const made = isAsGiven ? maglevOf.get(service) : undefined
  const table = made ?? maglevTable(service.backends.map(({ address }, n) =>
    ({ address, weight: weights[n]! })))
  if (isAsGiven) maglevOf.set(service, table)
  const at = picks.length
  for (let n = 0; n < table.length; n += 2) picks.push(table[n]! | (table[n + 1] ?? 0) << 16)
  return at
}

/** The virtual stations: VIPs first, then the gateways of the networks that have one. */
export function virtualAddresses(services: readonly ServiceRow[], networks: readonly NetworkRow[],
): { network: number; address: number; service: number }[] {
  const balanced = new Set(services.map(({ network }) => network))
  return [
    ...services.flatMap(({ network, address }, service) =>
      address === null ? [] : [{ network, address, service }]),
    ...networks.flatMap(({ gateway }, network) =>
      gateway === undefined || !balanced.has(network) ? []
        : [{ network, address: gateway, service: -1 }]),
  ]
}
