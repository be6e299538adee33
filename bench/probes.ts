// The measurements: each probe drives one kind of traffic over a data path and reads some rows.
import type { Snapshot } from './cpu.ts'
import { machineSeconds, residentOctets, takeSnapshot, treeSeconds } from './cpu.ts'
import { BenchError, waitUntil } from './hosts.ts'
import { askForAnswers, sendDatagrams, startEchoes } from './load.ts'
import type { RowKey } from './rows.ts'
import type { DataPath } from './subjects.ts'
import { leaveUnpaced } from './subjects.ts'

export type Readings = Partial<Record<RowKey, number>>

/** How long and how often: the difference between a full, a quick and a smoke run. */
export type Effort = Readonly<{
  tcpSeconds: number
  blastSeconds: number
  stepSeconds: number
  askSeconds: number
  pings: number
}>

export type Probe = (path: DataPath, effort: Effort) => Promise<Readings>

const LOSS_ALLOWED = 0.01
const LOSS_WORTH_A_RETRY = 0.05
const SEARCH_STEPS_MAX = 10
const SEARCH_PRECISION = 1.06 // the rate found and the rate refused differ by so much at most
const SEARCH_START_MIN = 1000
const SMALL_OCTETS = 64
const LARGE_OCTETS = 1400
const CONNECT_TIMEOUT_MS = 15_000
const IPERF_MARGIN_MS = 15_000
const IDLE_INTERVAL_S = 0.01 // the machine sleeps in between
const BUSY_INTERVAL_S = 0.001 // ping spins in between, so that one processor never sleeps

/** Servers on the far end, a full-sized packet each way, and warm caches and compilers. */
export async function prepare(path: DataPath, effort: Effort): Promise<void> {
  const [from, to] = path.ends
  for (const end of path.ends) await leaveUnpaced(end.host, end.netns)
  const largest = ['-M', 'do', '-s', String(path.mtu - 28)] // IPv4 and ICMP headers
  const reach = ['ping', '-q', '-c', '1', '-W', '1', ...largest, to.address]
  await waitUntil(() => from.host.run(reach, from.netns).then(() => true, () => false),
    CONNECT_TIMEOUT_MS, `ping with ${path.mtu} octets from ${from.address} to ${to.address}`)
  await to.host.start(['iperf3', '-s', '--forceflush'], to.netns, /Server listening/)
  await startEchoes(to)
  await iperf(path, 1)
  await sendDatagrams(from, to, SMALL_OCTETS, 0, effort.stepSeconds)
}

export async function tcpOne(path: DataPath, effort: Effort): Promise<Readings> {
  const run = await iperf(path, effort.tcpSeconds)
  const gigabytes = run.octets / 1e9
  const daemons = path.daemons.map(daemon => daemon.pid())
  const tunnelSeconds = treeSeconds(run.before, run.after, daemons)
  return {
    tcp1: run.gbps,
    cpu: machineSeconds(run.before, run.after) / gigabytes,
    ...daemons.length > 0 && { cpu_tunnel: tunnelSeconds / gigabytes },
  }
}

export async function tcpReverse(path: DataPath, effort: Effort): Promise<Readings> {
  return { tcp1r: (await iperf(path, effort.tcpSeconds, '-R')).gbps }
}

export async function tcpFour(path: DataPath, effort: Effort): Promise<Readings> {
  return { tcp4: (await iperf(path, effort.tcpSeconds, '-P', '4')).gbps }
}

type IperfRun = { gbps: number; octets: number; before: Snapshot; after: Snapshot }

async function iperf(path: DataPath, seconds: number, ...more: string[]): Promise<IperfRun> {
  const [from, to] = path.ends
  const before = takeSnapshot()
  const output = await from.host.run(['iperf3', '--json', '-c', to.address, '-t', String(seconds),
    '-C', 'cubic', '--connect-timeout', '3000', ...more], from.netns,
    seconds * 1000 + IPERF_MARGIN_MS)
  const after = takeSnapshot()
  const sum = JSON.parse(output).end?.sum_received
  if (!(sum?.bytes > 0)) throw new BenchError(`iperf3 received nothing: ${output.slice(-300)}`)
  return { gbps: sum.bits_per_second / 1e9, octets: sum.bytes, before, after }
}

export async function smallBlast(path: DataPath, effort: Effort): Promise<Readings> {
  const [from, to] = path.ends
  const seen = await sendDatagrams(from, to, SMALL_OCTETS, 0, effort.blastSeconds)
  return { udp64: seen.receivedPerSecond / 1e3, udp64_loss: seen.loss * 100 }
}

export async function smallClean(path: DataPath, effort: Effort): Promise<Readings> {
  return { udp64_clean: await highestCleanRate(path, effort, SMALL_OCTETS) / 1e3 }
}

export async function largeClean(path: DataPath, effort: Effort): Promise<Readings> {
  return { udp1400: await highestCleanRate(path, effort, LARGE_OCTETS) * LARGE_OCTETS * 8 / 1e9 }
}

/** Highest rate of arrival per second that lost less than 1 %, found by halving an interval. */
async function highestCleanRate(path: DataPath, effort: Effort, octets: number): Promise<number> {
  const [from, to] = path.ends
  const flatOut = await sendDatagrams(from, to, octets, 0, effort.stepSeconds)
  if (flatOut.loss < LOSS_ALLOWED) return flatOut.receivedPerSecond
  let best = 0
  let passed = 0
  let refused = flatOut.sentPerSecond
  let rate = Math.max(flatOut.receivedPerSecond, SEARCH_START_MIN)
  for (let step = 0; step < SEARCH_STEPS_MAX && refused / passed > SEARCH_PRECISION; step++) {
    let seen = await sendDatagrams(from, to, octets, rate, effort.stepSeconds)
    if (seen.loss >= LOSS_ALLOWED && seen.loss < LOSS_WORTH_A_RETRY) {
      seen = await sendDatagrams(from, to, octets, rate, effort.stepSeconds)
    }
    if (seen.loss < LOSS_ALLOWED) {
      best = Math.max(best, seen.receivedPerSecond)
      passed = rate
    } else {
      refused = rate
    }
    rate = passed > 0 ? Math.sqrt(passed * refused) : refused / 2
  }
  return best
}

export async function requests(path: DataPath, effort: Effort): Promise<Readings> {
  const [from, to] = path.ends
  const seen = await askForAnswers(from, to, SMALL_OCTETS, effort.askSeconds, false)
  return { rr: seen.perSecond, rr_p50: seen.p50Us, rr_p99: seen.p99Us }
}

/**
 * The scheduler may put both ends on one processor, which no two real hosts share and which more
 * than doubles the rate of some paths; this row shows when the free one was so lucky.
 */
export async function requestsApart(path: DataPath, effort: Effort): Promise<Readings> {
  const [from, to] = path.ends
  const seen = await askForAnswers(from, to, SMALL_OCTETS, effort.askSeconds, true)
  return { rr_apart: seen.perSecond }
}

export async function pingIdle(path: DataPath, effort: Effort): Promise<Readings> {
  const times = await pingTimesUs(path, effort.pings, IDLE_INTERVAL_S)
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length
  return { ping: quantile(times, 0.5), ping_avg: mean, ping_p99: quantile(times, 0.99) }
}

export async function pingBusy(path: DataPath, effort: Effort): Promise<Readings> {
  return { ping_1ms: quantile(await pingTimesUs(path, effort.pings, BUSY_INTERVAL_S), 0.5) }
}

/** Round-trip times in microseconds, shortest first. @throws BenchError when one in 20 is lost */
async function pingTimesUs(path: DataPath, count: number, intervalS: number): Promise<number[]> {
  const [from, to] = path.ends
  const output = await from.host.run(['ping', '-c', String(count), '-i', String(intervalS),
    '-W', '1', to.address], from.netns)
  const times = [...output.matchAll(/time=([\d.]+) ms/g)].map(found => Number(found[1]) * 1e3)
  if (times.length < count * 0.95) throw new BenchError(`ping: ${times.length} of ${count} answers`)
  return times.sort((a, b) => a - b)
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}

/** Of the host whose processes are larger. */
export async function memory(path: DataPath): Promise<Readings> {
  const hosts = new Map<number, number>()
  for (const daemon of path.daemons) {
    hosts.set(daemon.host, (hosts.get(daemon.host) ?? 0) + residentOctets(daemon.pid()))
  }
  return hosts.size === 0 ? {} : { rss: Math.max(...hosts.values()) / 1e6 }
}
