// How long a change of the cluster's tables takes to rule packets: from rows in the main thread to
// the first datagram that the packet worker judges by them.
//
//   bench/publish [--rounds 500] [--rows 100,1000,10000] [--json]
//
// A real packet worker listens on a loopback address. In each round one endpoint moves from a VTEP
// that does not exist to the one that sends, or back, and a datagram from it is sent again and again
// until the worker's verdict changes. The time is taken where the tables are made, so it holds all:
// compiling, building, handing over, waking up, and the datagram's own way.
import { parseArgs } from 'node:util'
import { UsageError } from '../src/base/errors.ts'
import { formatIpv4, macOfAddress, parseIpv4, parseMac } from '../src/base/text.ts'
import type { ClusterRows, RemoteEndpoint } from '../src/daemon/cluster-rows.ts'
import { compileRows } from '../src/daemon/compile.ts'
import { PacketWorker } from '../src/daemon/packet-worker.ts'
import { emptyState, type State } from '../src/daemon/state.ts'
import { makeArena } from '../src/kernel/arena.ts'
import { makeRoom } from '../src/kernel/ring.ts'
import { UdpPort } from '../src/kernel/udp-port.ts'
import { closeUnderlay, openUnderlay, type UnderlaySockets } from '../src/kernel/underlay.ts'
import { DROP_UNKNOWN_MAC, DROP_WRONG_VTEP, GAUGE_GENERATION } from '../src/path/counters.ts'
import { makeFlowMemory } from '../src/path/flow-memory.ts'
import { buildImage } from '../src/path/image.ts'
import { writeEtherHeader } from '../src/wire/ether.ts'
import { VXLAN_HEADER_OCTETS, writeVxlan } from '../src/wire/vxlan.ts'
import { takeLock } from './lock.ts'

const WORKER = '127.0.83.1'
const SENDER = '127.0.83.2'
const NOBODY = '127.0.83.3'
const PORT = 24_789
const VNI = 4097
const NODES = 50
const FIRST_ADDRESS = parseIpv4('10.0.0.2')
const FRAME_OCTETS = 60
const ROUND_TIMEOUT_MS = 2000
/** A datagram without a verdict for so long is sent again. */
const LATE_MS = 50
const WARM_UP_ROUNDS = 50
const FLOWS = 1024
const ROUNDS_MAX = 100_000

type Round = { compileMs: number; buildMs: number; adoptedMs: number; packetMs: number }

function openSockets(address: string, port: number): UnderlaySockets {
  return openUnderlay({ address: parseIpv4(address), port, ttl: 64, udpChecksum: true, mtu: 1500,
    segment: false, gro: false, receivers: 1, senders: 4 })
}

function state(): State {
  return { ...emptyState(), networks: [{ id: 'net', name: 'net', scope: 'swarm', createdAt: '',
    vni: VNI, mtu: 1450, subnet: '10.0.0.0/8', gateway: '10.0.0.1', labels: {}, attachable: true, internal: false, skipped: [],
    lastGiven: null }] }
}

/** `count` endpoints on NODES nodes; the first of them is the one that moves. */
function endpoints(count: number): RemoteEndpoint[] {
  const first = parseIpv4(SENDER)
  return Array.from({ length: count }, (_, n) => ({ network: 'net', promiscuous: false,
    mac: macOfAddress(FIRST_ADDRESS + n), address: formatIpv4(FIRST_ADDRESS + n),
    vtep: formatIpv4(first + n % NODES) }))
}

/** Sends one datagram, from the endpoint that moves to a MAC that nobody has. */
function makeProbe(): { send: () => void; close: () => void } {
  const ring = makeArena()
  const port = new UdpPort(ring, openSockets(SENDER, PORT))
  const at = makeRoom(ring, VXLAN_HEADER_OCTETS + FRAME_OCTETS)
  writeVxlan(ring.view, at, VNI)
  writeEtherHeader(ring.view, at + VXLAN_HEADER_OCTETS, 0x0642, 1,
    ...parseMac(macOfAddress(FIRST_ADDRESS)), 0x88b5)
  port.setDestination(0, parseIpv4(WORKER), PORT)
  return {
    send: () => {
      port.queue(0, 0, 0, at, VXLAN_HEADER_OCTETS, at + VXLAN_HEADER_OCTETS, FRAME_OCTETS)
      port.flush()
    },
    close: () => port.close(),
  }
}

class Bench {
  readonly #worker: PacketWorker
  readonly #probe = makeProbe()
  readonly #state = state()
  #generation = 0

  constructor(worker: PacketWorker) {
    this.#worker = worker
  }

  /** Let the tables be `rows`, and send until the datagram is counted as `wanted`. */
  round(rows: ClusterRows, wanted: number, other: number): Round {
    const { counters } = this.#worker
    const count = counters[wanted]!
    let sent = counters[other]!
    const begin = performance.now()
    const compiled = compileRows(this.#state, new Map(), ++this.#generation, rows)
    const compileMs = performance.now() - begin
    const image = buildImage(compiled)
    const buildMs = performance.now() - begin - compileMs
    this.#worker.publish(image)
    let adoptedMs = NaN
    let lateMs = LATE_MS
    this.#probe.send()
    for (;;) {
      const nowMs = performance.now() - begin
      if (Number.isNaN(adoptedMs) && counters[GAUGE_GENERATION] === this.#generation) {
        adoptedMs = nowMs
      }
      if (counters[wanted]! > count) {
        return { compileMs, buildMs, adoptedMs, packetMs: nowMs }
      }
      if (nowMs > ROUND_TIMEOUT_MS) throw new Error('no datagram was judged by the new tables')
      // The first tables of all judge nothing, and a datagram may be lost.
      const isLate = nowMs > lateMs
      if (counters[other]! === sent && !isLate) continue
      if (isLate) lateMs = nowMs + LATE_MS
      sent = counters[other]!
      this.#probe.send()
    }
  }

  async close(): Promise<void> {
    this.#probe.close()
    await this.#worker.stop()
  }
}

function measure(bench: Bench, rowCount: number, rounds: number): Round[] {
  const here = endpoints(rowCount)
  const away = here.with(0, { ...here[0]!, vtep: NOBODY })
  const vteps = [...new Set(here.map(one => one.vtep))]
  const members = vteps.map(address => ({ address, port: PORT, remoteChecksum: false }))
  const networks = new Set(['net'])
  // The sender must be a VTEP also while the one endpoint is away.
  const kept = { ...here[0]!, mac: '06:42:00:00:00:02', address: '10.255.0.1' }
  const results: Round[] = []
  for (let n = 0; n < WARM_UP_ROUNDS + rounds; n++) {
    const isHere = n % 2 === 0
    const rows = { networks, members, endpoints: [...(isHere ? here : away), kept] }
    const result = isHere ? bench.round(rows, DROP_UNKNOWN_MAC, DROP_WRONG_VTEP)
      : bench.round(rows, DROP_WRONG_VTEP, DROP_UNKNOWN_MAC)
    if (n >= WARM_UP_ROUNDS) results.push(result)
  }
  return results
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

function reportOf(results: readonly Round[]): Record<string, string> {
  const of = (key: keyof Round) => {
    const values = results.map(one => one[key]).filter(value => !Number.isNaN(value))
    return [0.5, 0.99, 1].map(share => quantile(values, share).toFixed(3)).join(' / ')
  }
  return { compile: of('compileMs'), build: of('buildMs'), adopted: of('adoptedMs'),
    'first packet': of('packetMs') }
}

function readWords(): { rounds: number; rows: number[]; json: boolean } {
  const { values } = parseArgs({ options: { rounds: { type: 'string' }, rows: { type: 'string' },
    json: { type: 'boolean' } } })
  const rounds = Number(values.rounds ?? 500)
  const rows = (values.rows ?? '100,1000,10000').split(',').map(Number)
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) {
    throw new UsageError(`--rounds ${values.rounds}: not a number from 1 to ${ROUNDS_MAX}`)
  }
  if (!rows.every(count => Number.isInteger(count) && count >= NODES && count <= 60_000)) {
    throw new UsageError(`--rows ${values.rows}: numbers from ${NODES} to 60000, with commas`)
  }
  return { rounds, rows, json: values.json ?? false }
}

const { rounds, rows, json } = readWords()
const giveBack = await takeLock()
const sockets = openSockets(WORKER, PORT)
const bench = new Bench(await PacketWorker.start({ sockets, spinMicros: 20, nice: 0,
  inheritDscp: false, offload: { tcp: true, udp: true }, folds: true, seed: 1, worker: 0, workers: 1,
  news: [],
  flows: { memories: [makeFlowMemory(FLOWS)], mine: 0, capacity: FLOWS } }, () => {}))
try {
  const table: Record<string, Record<string, string>> = {}
  for (const count of rows) table[`${count} endpoints`] = reportOf(measure(bench, count, rounds))
  if (json) console.log(JSON.stringify(table))
  else {
    console.log('ms since the change: median / p99 / worst')
    console.table(table)
  }
} finally {
  await bench.close()
  closeUnderlay(sockets)
  await giveBack()
}
