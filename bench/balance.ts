// New connections through balancers: tapmesh beside nftables and HAProxy, which lead them over the
// kernel's own VXLAN device. Words of the command line -> rounds -> report.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { tapmeshBalancer } from './balancer-tapmesh.ts'
import { type Balancer, direct, haproxy, nftables, type Way, WAYS } from './balancers.ts'
import {
  balanceFileOf, balanceReportOf, type BalanceFailure, type BalanceReport, type BalanceRow,
  type BalanceSample, balanceTextOf, faultsOf,
} from './balance-report.ts'
import { compile } from './compile.ts'
import { type Call, openMany, sendBulk } from './connect.ts'
import { closeOnSignals, enter, pick, roundsOf } from './entry.ts'
import { BenchError, fileIn, type Hosts, openHosts, waitUntil } from './hosts.ts'
import { takeLock } from './lock.ts'
import { checkMachine, loadNow, machineNow, versionsOf } from './machine.ts'
import { leastDisturbed } from './quiet.ts'
import { leaveUnpaced } from './subjects.ts'

const BALANCERS: readonly Balancer[] = [direct, nftables, haproxy, tapmeshBalancer]
const RESULTS = join(import.meta.dirname, 'results')
const FILE = join(import.meta.dirname, 'BALANCE.md')
const AT_ONCE = 16
const READY_TIMEOUT_MS = 30_000
const READY_SECONDS = 0.05

type Effort = Readonly<{
  rounds: number
  manySeconds: number
  bulkSeconds: number
  warmSeconds: number
  /** A disturbed measurement is done again so often. */
  repeatsMax: number
}>

const EFFORTS: Readonly<Record<'full' | 'quick' | 'smoke', Effort>> = {
  full: { rounds: 5, manySeconds: 3, bulkSeconds: 2, warmSeconds: 3, repeatsMax: 1 },
  quick: { rounds: 1, manySeconds: 2, bulkSeconds: 1, warmSeconds: 0.5, repeatsMax: 1 },
  smoke: { rounds: 1, manySeconds: 0.5, bulkSeconds: 0.3, warmSeconds: 0.2, repeatsMax: 0 },
}

const HELP = `bench/balance: new connections through balancers.

Usage: bench/balance [options]

  -q, --quick            one round, about a minute and a half
      --smoke            under a minute: does each balancer work, and is each row sane?
  -n, --rounds N         how often each row is measured (default 5)
  -w, --ways LIST        of ${WAYS.join(', ')}
  -p, --subjects LIST    of ${BALANCERS.map(({ name }) => name).join(', ')}
      --json             one JSON object on stdout instead of the table
      --write            also write bench/BALANCE.md and bench/results/balance-latest.json
  -h, --help

Example: bench/balance --quick -w vip -p nftables,tapmesh
`

function readOptions(words: readonly string[]) {
  const { values } = parseArgs({
    args: [...words],
    options: {
      quick: { type: 'boolean', short: 'q' }, smoke: { type: 'boolean' },
      rounds: { type: 'string', short: 'n' }, ways: { type: 'string', short: 'w' },
      subjects: { type: 'string', short: 'p' }, json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' },
    },
  })
  const mode = values.smoke ? 'smoke' : values.quick ? 'quick' : 'full'
  const effort = { ...EFFORTS[mode], rounds: roundsOf(values.rounds, EFFORTS[mode].rounds) }
  const ways = values.ways?.split(',').map(word => pick('way', word, WAYS, way => way)) ?? WAYS
  const balancers = values.subjects?.split(',')
    .map(word => pick('subject', word, BALANCERS, ({ name }) => name)) ?? BALANCERS
  const { json, write, help = false } = values
  return { mode, effort, ways, balancers, json, write, help } as const
}

class Rounds {
  readonly samples: BalanceSample[] = []
  readonly failures: BalanceFailure[] = []
  repeated = 0
  readonly #effort: Effort
  #hosts: Hosts | null = null
  #closed = false

  constructor(effort: Effort) {
    this.#effort = effort
  }

  /** Balancers take turns, and the first one changes from round to round. */
  async measure(ways: readonly Way[], balancers: readonly Balancer[]): Promise<void> {
    for (let round = 0; round < this.#effort.rounds; round++) {
      for (const way of ways) {
        const here = balancers.filter(balancer => balancer.ways.includes(way))
        for (let turn = 0; turn < here.length; turn++) {
          await this.#visit(way, here[(turn + round) % here.length]!, round)
        }
      }
    }
  }

  /** Take the standing hosts down; what is under way fails. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#hosts?.close()
  }

  async #visit(way: Way, balancer: Balancer, round: number): Promise<void> {
    if (this.#closed) return
    const subject = balancer.name
    const unlock = await takeLock()
    const startMs = performance.now()
    try {
      const { pair } = this.#hosts = await openHosts('A')
      const call = await balancer.raise(pair, way)
      await prepare(pair, call, balancer, this.#effort.warmSeconds)
      await this.#probe(call, { way, subject, round })
    } catch (error) {
      if (this.#closed) return
      const message = error instanceof Error ? error.message : String(error)
      this.failures.push({ way, subject, round, message })
      process.stderr.write(`${way} ${subject}: ${message}\n`)
    } finally {
      await this.#hosts?.close()
      this.#hosts = null
      await unlock()
    }
    const tookS = (performance.now() - startMs) / 1000
    process.stderr.write(`round ${round + 1} ${way} ${subject}: ${tookS.toFixed(1)} s\n`)
  }

  async #probe(
    call: Call, at: Pick<BalanceSample, 'way' | 'subject' | 'round'>,
  ): Promise<void> {
    const { manySeconds, bulkSeconds, repeatsMax } = this.#effort
    const mayRepeat = (repeats: number) => repeats < repeatsMax
    const many = await leastDisturbed(() => openMany(call, AT_ONCE, manySeconds), mayRepeat)
    const bulk = await leastDisturbed(() => sendBulk(call, bulkSeconds), mayRepeat)
    this.repeated += many.repeats + bulk.repeats
    const { perSecond, p99Us, failed, why, backends } = many.value
    const add = (row: BalanceRow, value: number, { foreignCores }: { foreignCores: number }) =>
      void this.samples.push({ ...at, row, value, foreignCores })
    add('connections', perSecond, many)
    add('p99', p99Us, many)
    add('failed', failed, many)
    add('share', 100 * Math.max(...backends) / backends.reduce((sum, one) => sum + one, 0), many)
    add('bulk', bulk.value, bulk)
    if (failed > 0) process.stderr.write(`${at.way} ${at.subject}: ${failed} failed: ${why}\n`)
  }
}

/**
 * Until all backends answer, with no socket paced, and with warm caches and compilers: a daemon of
 * seconds still compiles, on another processor, what it does for the first time.
 */
async function prepare(
  hosts: Hosts['pair'], call: Call, { backends }: Balancer, warmSeconds: number,
): Promise<void> {
  let seen = 'nothing'
  const answers = async () => {
    try {
      const found = await openMany(call, backends, READY_SECONDS)
      seen = `${found.backends.length} backends, ${found.failed} failed ${found.why}`
      return found.failed === 0 && found.backends.length === backends
    } catch (error) {
      seen = error instanceof Error ? error.message : String(error)
      return false
    }
  }
  await waitUntil(answers, READY_TIMEOUT_MS, `connections to ${call.address}`)
    .catch((error: Error) => { throw new BenchError(`${error.message}: ${seen}`) })
  // Now the namespaces of tasks are there, too.
  for (const host of hosts) {
    for (const netns of [null, ...readdirSync(fileIn(host, '/run/netns'))]) {
      await leaveUnpaced(host, netns)
    }
  }
  await openMany(call, AT_ONCE, warmSeconds)
  await sendBulk(call, warmSeconds)
}

function store(report: BalanceReport, text: string, write: boolean): void {
  mkdirSync(RESULTS, { recursive: true })
  const json = `${JSON.stringify(report, null, 1)}\n`
  const name = `${report.when.replaceAll(/[:.]/g, '-')}-balance-${report.mode}.json`
  writeFileSync(join(RESULTS, name), json)
  if (!write) return
  writeFileSync(join(RESULTS, 'balance-latest.json'), json)
  writeFileSync(FILE, balanceFileOf(text, existsSync(FILE) ? readFileSync(FILE, 'utf8') : ''))
}

async function main(): Promise<number> {
  const { mode, effort, ways, balancers, json, write, help } = readOptions(process.argv.slice(2))
  if (help) {
    process.stdout.write(HELP)
    return 0
  }
  checkMachine(balancers)
  await compile('connect')
  const loadBefore = loadNow()
  const versions = await versionsOf(balancers)
  const rounds = new Rounds(effort)
  closeOnSignals(() => rounds.close())
  const when = new Date().toISOString()
  const startMs = performance.now()
  await rounds.measure(ways, balancers)
  const { failures, repeated } = rounds
  const report = balanceReportOf({
    when, mode, rounds: effort.rounds, seconds: (performance.now() - startMs) / 1000,
    atOnce: AT_ONCE, subjects: balancers.map(({ name }) => name), versions, repeated, failures,
    machine: await machineNow(loadBefore),
  }, ways, rounds.samples)
  const text = balanceTextOf(report, balancers)
  store(report, text, write)
  process.stdout.write(json ? `${JSON.stringify(report, null, 1)}\n` : text)
  const faults = faultsOf(report, balancers)
  for (const fault of faults) process.stderr.write(`bench/balance: ${fault}\n`)
  if (mode === 'smoke' && faults.length === 0) process.stderr.write('smoke: every row is sane\n')
  return faults.length === 0 ? 0 : 1
}

await enter('bench/balance', main)
