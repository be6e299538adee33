// Entry of bench/gossip: groups of real processes, one after the other, and a table of what they
// took to know of a change and of a death, and of what they use when nothing happens.
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { TapmeshError, UsageError } from '../src/base/errors.ts'
import { GossipGroup, type Idle } from './gossip-group.ts'
import { type Kind, KINDS, type Starter, starterOf } from './gossip-kinds.ts'
import { takeLock } from './lock.ts'

const HELP = `bench/gossip: measure the mesh beside HashiCorp's memberlist, as real processes.

Usage: bench/gossip [options]

  -m, --members LIST     how many members (default 3,10,25,50)
  -k, --kinds LIST       of ${KINDS.join(', ')} (default all)
  -c, --changes N        how many changes are told, one after the other (default 60)
      --kills N          how many members are killed and started again (default 3)
  -i, --idle-seconds N   for how long nothing happens (default 20)
      --clear            in the clear; else everything is sealed with AES-128
  -q, --quick            3 and 10 members, few changes, one kill
      --json             one JSON object on stdout instead of the table
  -h, --help

Kinds: memberlist is Debian's Go package; mesh is our membership alone; cluster is all that a node
does in a cluster: membership, keep-alives to every other node, tables, and a store on disk.
A change is a user message that memberlist's program passes on, or a row of a table.

Example: bench/gossip --quick --json | jq .results
`
const KEY = '00112233445566778899aabbccddeeff'
/** Members end after this time, whatever happens to us. */
const LIFE_SECONDS = 3600
const MEMBERS_MAX = 200
/** After the start, so that what it caused is over. */
const SETTLE_MS = 10_000
/** Between two changes at random, so that none keeps step with anybody's timer. */
const PAUSE_MIN_MS = 200
const PAUSE_SPREAD_MS = 500

type Plan = Readonly<{
  members: readonly number[]
  kinds: readonly Kind[]
  changes: number
  kills: number
  idleSeconds: number
  keys: string
  json: boolean
}>

/** Of each repetition. `all` is when the last of the others knew, `half` the one in the middle. */
type Result = Readonly<{
  kind: Kind
  members: number
  changeHalfMs: readonly number[]
  changeAllMs: readonly number[]
  killFirstMs: readonly number[]
  killAllMs: readonly number[]
  restartAllMs: readonly number[]
  idle: Idle
  /** Members that never heard of a change; the delays are those of the others. */
  untold: number
  falseDeaths: number
}>

function readPlan(words: readonly string[]): Plan | null {
  const { values } = parseArgs({
    args: [...words],
    options: {
      members: { type: 'string', short: 'm' }, kinds: { type: 'string', short: 'k' },
      changes: { type: 'string', short: 'c' }, kills: { type: 'string' },
      'idle-seconds': { type: 'string', short: 'i' }, clear: { type: 'boolean' },
      quick: { type: 'boolean', short: 'q' }, json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return null
  const quick = values.quick === true
  const kinds = (values.kinds ?? KINDS.join(',')).split(',')
  return {
    members: (values.members ?? (quick ? '3,10' : '3,10,25,50')).split(',')
      .map(text => count('members', text, 2, MEMBERS_MAX)),
    kinds: kinds.map(kindOf),
    changes: count('changes', values.changes ?? (quick ? '20' : '60'), 0, 10_000),
    kills: count('kills', values.kills ?? (quick ? '1' : '3'), 0, 100),
    idleSeconds: count('idle-seconds', values['idle-seconds'] ?? (quick ? '10' : '20'), 1, 600),
    keys: values.clear === true ? '' : KEY,
    json: values.json === true,
  }
}

function count(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new UsageError(`--${name}: "${text}" is no number from ${min} to ${max}`)
}

function kindOf(name: string): Kind {
  const found = KINDS.find(kind => kind === name)
  if (found === undefined) {
    throw new UsageError(`--kinds: there is no "${name}"; there are ${KINDS.join(', ')}`)
  }
  return found
}

async function measure(starter: Starter, members: number, plan: Plan): Promise<Result> {
  const group = new GossipGroup(starter, plan.keys)
  const stop = () => { void group.stop().finally(() => process.exit(1)) }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    await group.start(members)
    await pause(SETTLE_MS)
    const idle = await group.idle(plan.idleSeconds)
    const changes = []
    for (let i = 0; i < (starter.spreads ? plan.changes : 0); i += 1) {
      changes.push(await group.change())
      await pause(PAUSE_MIN_MS + Math.random() * PAUSE_SPREAD_MS)
    }
    const kills = []
    const restarts = []
    for (let i = 0; i < plan.kills; i += 1) {
      const index = i % members
      kills.push(await group.kill(index))
      restarts.push(await group.restart(index))
      await pause(SETTLE_MS)
    }
    const { falseDeaths, untold } = group
    const last = (delays: readonly number[]) => delays.at(-1) ?? 0
    return {
      kind: starter.kind, members, idle, untold, falseDeaths,
      changeHalfMs: changes.map(delays => quantile(delays, 0.5)), changeAllMs: changes.map(last),
      killFirstMs: kills.map(delays => delays[0] ?? 0), killAllMs: kills.map(last),
      restartAllMs: restarts.map(last),
    }
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    await group.stop()
  }
}

/** The smallest value that so large a part is not above. */
function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN
}

const HEADINGS = [
  'members', 'kind', 'change at half, p50 ms', 'change at all, p50/p99/max ms',
  'kill, first/all p50 (max) s', 'restart at all, p50 ms', 'idle CPU ms/s', 'B/s', 'packets/s',
  'RSS MiB', 'never told', 'false deaths',
]

function rowOf(result: Result): string[] {
  const { changeAllMs, changeHalfMs, idle, killAllMs, killFirstMs, restartAllMs } = result
  const ms = (values: readonly number[], part: number) => quantile(values, part).toFixed(1)
  const seconds = (values: readonly number[], part: number) =>
    (quantile(values, part) / 1000).toFixed(1)
  const isTold = changeAllMs.length > 0
  return [
    String(result.members), result.kind, isTold ? ms(changeHalfMs, 0.5) : '-',
    isTold ? [0.5, 0.99, 1].map(part => ms(changeAllMs, part)).join(' / ') : '-',
    killAllMs.length === 0 ? '-'
      : `${seconds(killFirstMs, 0.5)} / ${seconds(killAllMs, 0.5)} (${seconds(killAllMs, 1)})`,
    restartAllMs.length === 0 ? '-' : quantile(restartAllMs, 0.5).toFixed(0),
    idle.cpuMs.toFixed(1), idle.octets.toFixed(0), idle.packets.toFixed(1),
    idle.residentMiB.toFixed(0), String(result.untold), String(result.falseDeaths),
  ]
}

function tableOf(results: readonly Result[]): string {
  const rows = [HEADINGS, HEADINGS.map(() => '---'), ...results.map(rowOf)]
  return rows.map(row => `| ${row.join(' | ')} |\n`).join('')
}

async function main(): Promise<number> {
  const plan = readPlan(process.argv.slice(2))
  if (plan === null) {
    process.stdout.write(HELP)
    return 0
  }
  const unlock = await takeLock()
  const results: Result[] = []
  try {
    for (const members of plan.members) {
      for (const kind of plan.kinds) {
        process.stderr.write(`bench/gossip: ${members} of ${kind}\n`)
        results.push(await measure(await starterOf(kind, LIFE_SECONDS), members, plan))
      }
    }
  } finally {
    await unlock()
  }
  const sealed = plan.keys !== ''
  process.stdout.write(plan.json ? `${JSON.stringify({ sealed, results })}\n` : tableOf(results))
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  const text = error instanceof TapmeshError ? error.message : String((error as Error).stack)
  process.stderr.write(`bench/gossip: ${text}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
