// Entry of bench/run: words of the command line -> session -> report.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chartOf } from './chart.ts'
import { compile } from './compile.ts'
import { closeOnSignals, enter, pick, roundsOf } from './entry.ts'
import type { Setting } from './hosts.ts'
import { checkMachine, loadNow, machineNow, versionsOf } from './machine.ts'
import type { Mode, Plan } from './plan.ts'
import { PLANS } from './plan.ts'
import { ovsAfxdp, ovsTap } from './peers/ovs.ts'
import { quicktun } from './peers/quicktun.ts'
import { tinc } from './peers/tinc.ts'
import type { Report } from './report.ts'
import { insaneValues, reportOf, textOf } from './report.ts'
import { Session } from './session.ts'
import type { Subject } from './subjects.ts'
import { kvxlan, kvxlanBridge, veth } from './subjects.ts'
import { tapmesh, tapmeshWorkers } from './tapmesh.ts'

const REFERENCES: readonly Subject[] = [veth, kvxlan, kvxlanBridge]
const PEERS: readonly Subject[] = [tinc, quicktun, ovsTap, ovsAfxdp]
const KNOWN: readonly Subject[] = [...REFERENCES, tapmesh, ...tapmeshWorkers, ...PEERS]
const SETTINGS: readonly Setting[] = ['A', 'B']
const RESULTS = join(import.meta.dirname, 'results')

const HELP = `bench/run: measure tapmesh beside the kernel's own VXLAN device.

Usage: bench/run [options]

  -q, --quick            under five minutes: the rows that have bars, others once
      --smoke            seconds: does every row of the references give a sane number?
  -s, --settings A,B     A: veth offloads as the kernel sets them; B: all off (default A;
                         A,B with --quick)
  -n, --rounds N         how often each row is measured (default 5)
  -p, --subjects LIST    of ${KNOWN.map(({ name }) => name).join(', ')}
      --peers            the other userspace tunnels, too
      --json             one JSON object on stdout instead of the table
      --write            also write bench/RESULTS.md, its picture and
                         bench/results/latest.json
  -h, --help

Subjects: veth is the underlay alone; kvxlan the kernel's VXLAN device as endpoint; kvxlan-br the
same behind a bridge and a veth pair, as Docker wires it; tapmesh a daemon and a task on each host,
tapmesh-wN one with N packet workers.

Example: bench/run --quick --json | jq .ratios
`

type Options = Readonly<{
  plan: Plan
  settings: readonly Setting[]
  subjects: readonly Subject[]
  json: boolean
  write: boolean
}>

function readOptions(words: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...words],
    options: {
      quick: { type: 'boolean', short: 'q' }, smoke: { type: 'boolean' },
      settings: { type: 'string', short: 's' }, rounds: { type: 'string', short: 'n' },
      subjects: { type: 'string', short: 'p' }, peers: { type: 'boolean' },
      json: { type: 'boolean' }, write: { type: 'boolean' }, help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return null
  const mode: Mode = values.smoke ? 'smoke' : values.quick ? 'quick' : 'full'
  const plan = PLANS[mode]
  const rounds = roundsOf(values.rounds, plan.rounds)
  const settings = (values.settings ?? (mode === 'quick' ? 'A,B' : 'A')).split(',').map(word => {
    return pick('setting', word, SETTINGS, setting => setting)
  })
  const usual = mode === 'smoke' ? REFERENCES : [...REFERENCES, tapmesh]
  const named = values.subjects?.split(',').map(word => {
    return pick('subject', word, KNOWN, subject => subject.name)
  })
  const subjects = [...new Set([...named ?? usual, ...values.peers ? PEERS : []])]
  const roundsMin = values.rounds === undefined ? plan.roundsMin : rounds
  return {
    plan: { ...plan, rounds, roundsMin }, settings: [...new Set(settings)], subjects,
    json: values.json ?? false, write: values.write ?? false,
  }
}

async function measure(options: Options): Promise<Report> {
  const { plan, settings, subjects } = options
  checkMachine(subjects)
  await compile('load')
  const loadBefore = loadNow()
  const versions = await versionsOf(subjects)
  const session = new Session(plan, line => void process.stderr.write(`${line}\n`))
  closeOnSignals(() => session.close())
  const when = new Date().toISOString()
  const outcome = await session.measure(settings, subjects)
  const names = (all: readonly Subject[]) => all.map(subject => subject.name)
  const run = {
    when, mode: plan.mode, settings, subjects: names(subjects), peers: names(PEERS), versions,
    machine: await machineNow(loadBefore),
  }
  return reportOf(run, outcome)
}

function store(report: Report, write: boolean): void {
  mkdirSync(RESULTS, { recursive: true })
  const json = `${JSON.stringify(report, null, 1)}\n`
  writeFileSync(join(RESULTS, `${report.when.replaceAll(/[:.]/g, '-')}-${report.mode}.json`), json)
  if (!write) return
  writeFileSync(join(RESULTS, 'latest.json'), json)
  const title = '# Results\n\nWritten by `bench/run --write`; every single value is in '
    + '[results/latest.json](results/latest.json). [PROFILE.md](PROFILE.md) says what stands in the\n'
    + 'way.\n\n![Results as bars](results.svg)\n\n'
  writeFileSync(join(import.meta.dirname, 'results.svg'), chartOf(report))
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), title + textOf(report))
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === null) {
    process.stdout.write(HELP)
    return 0
  }
  const report = await measure(options)
  store(report, options.write)
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 1)}\n` : textOf(report))
  if (options.plan.mode !== 'smoke') return report.failures.length === 0 ? 0 : 1
  const failures = report.failures.map(failure => failure.message)
  const faults = failures.length > 0 ? failures : insaneValues(report)
  for (const fault of faults) process.stderr.write(`smoke: ${fault}\n`)
  process.stderr.write(faults.length === 0 ? 'smoke: every row is sane\n' : 'smoke: failed\n')
  return faults.length === 0 ? 0 : 1
}

await enter('bench/run', main)
