// Runs histories of simulated clusters one after the other, or measures how fast news travels.
import Table from 'cli-table3'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { measureLatency } from '../../src/cluster/tables/latency.test-kit.ts'
import { runServiceHistory } from '../../src/cluster/services/service-history.test-kit.ts'
import { runScenario } from '../../src/cluster/tables/scenario.test-kit.ts'

const JOBS_MAX = 256
const PROGRESS_MS = 10_000
/** Of 1000 datagrams, where latency is measured. */
const LOSS_PER_MILLE = 20
const SIZES: readonly [nodes: number, samples: number][] = [
  [3, 2000], [10, 1000], [25, 500], [50, 300], [100, 200], [500, 30],
]

type Options = Readonly<{
  seeds: number; first: number; jobs: number; story: boolean; services: boolean
}>

const usage = (what: string): never => {
  console.error(`simulate: ${what}; see scripts/simulate --help`)
  process.exit(2)
}

function number(text: string | undefined, name: string, fallback: number, max: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  return usage(`--${name} is a number from 0 to ${max}, not "${text}"`)
}

function readOptions(): Options | 'latency' {
  const words = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    const { values } = parseArgs({
      options: {
        seeds: words, first: words, jobs: words, story: flag, latency: flag, services: flag,
      },
    })
    if (values.latency === true) return 'latency'
    return {
      seeds: number(values.seeds, 'seeds', 1000, 1e9),
      first: number(values.first, 'first', randomInt(2 ** 31), 2 ** 32 - 1),
      jobs: number(values.jobs, 'jobs', 1, JOBS_MAX),
      story: values.story === true,
      services: values.services === true,
    }
  } catch (error) {
    return usage((error as Error).message)
  }
}

function runAll({ first, seeds, services, story: isTold }: Options): number {
  let failed = 0
  let shownMs = performance.now()
  for (let seed = first; seed < first + seeds; seed += 1) {
    const { fault, nodes, story } = services ? runServiceHistory(seed) : runScenario(seed)
    if (isTold || fault !== null) for (const line of story) console.log(`  ${line}`)
    if (fault !== null) {
      failed += 1
      console.log(`seed ${seed}, ${nodes} nodes: ${fault}`)
    }
    if (performance.now() - shownMs < PROGRESS_MS) continue
    shownMs = performance.now()
    console.error(`${seed + 1 - first} of ${seeds}, ${failed} failed`)
  }
  console.log(`${seeds} histories from seed ${first}: ${failed} failed`)
  return failed
}

/** Each job is this program again, with a part of the seeds. */
async function runJobs({ first, jobs, seeds, services, story }: Options): Promise<number> {
  const share = Math.ceil(seeds / jobs)
  const parts = Array.from({ length: jobs }, (_, i) => ({
    first: first + i * share, seeds: Math.min(share, seeds - i * share),
  })).filter(part => part.seeds > 0)
  const codes = await Promise.all(parts.map(part => new Promise<number>(resolve => {
    const words = ['--first', String(part.first), '--seeds', String(part.seeds)]
    const child = spawn(process.execPath,
      [import.meta.filename, ...words, ...story ? ['--story'] : [],
        ...services ? ['--services'] : []],
      { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface({ input: child.stdout }).on('line', line => console.log(line))
    child.on('close', code => resolve(code ?? 1))
  })))
  return codes.filter(code => code !== 0).length
}

function showLatency(): void {
  const right = 'right' as const
  const table = new Table({
    head: ['NODES', 'CHANGES', 'P50 MS', 'P99 MS', 'WORST MS', 'SENT BY EACH', 'IDLE OCTETS/S'],
    style: { head: [], border: [], compact: true },
    colAligns: [right, right, right, right, right, right, right],
  })
  for (const [nodes, samples] of SIZES) {
    const found = measureLatency(nodes, samples, LOSS_PER_MILLE, nodes)
    const { idleOctetsPerSecond, messagesPerNode, p50Ms, p99Ms, worstMs } = found
    table.push([nodes, samples, ...[p50Ms, p99Ms, worstMs, messagesPerNode]
      .map(value => value.toFixed(1)), idleOctetsPerSecond.toFixed(0)])
  }
  console.log(table.toString())
}

const options = readOptions()
if (options === 'latency') showLatency()
else {
  const failed = options.jobs > 1 ? await runJobs(options) : runAll(options)
  process.exitCode = failed > 0 ? 1 : 0
}
