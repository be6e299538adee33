// What the figures were measured on and with, and whether this machine can measure at all.
import { accessSync, constants, readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { AbsentError } from '../src/base/errors.ts'
import { exec } from '../src/base/exec.ts'
import type { Subject } from './subjects.ts'
import { systemCallNs, wakeMicros } from './waking.ts'

export type Machine = Readonly<{
  kernel: string
  processor: string
  cores: number
  memoryGb: number
  /** What a system call takes, and to wake a thread that answers */
  systemCallNs: number
  wakeMicros: number
  /** Average number of runnable processes over the last minute */
  loadBefore: number
  loadAfter: number
}>

/** Command -> Debian package */
const NEEDS: Readonly<Record<string, string>> = {
  ip: 'iproute2', ping: 'iputils-ping', ethtool: 'ethtool', iperf3: 'iperf3', cc: 'gcc libc6-dev',
  unshare: 'util-linux', nsenter: 'util-linux', flock: 'util-linux', taskset: 'util-linux',
  mount: 'mount',
}

/** @throws AbsentError that names everything that is missing at once */
export function checkMachine(subjects: readonly Pick<Subject, 'needs'>[]): void {
  if (process.getuid?.() !== 0) {
    throw new AbsentError('the bench makes network namespaces: run it as root')
  }
  // Root may come without the directories of administration, through su for one.
  process.env['PATH'] = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`
  const needs = Object.assign({}, NEEDS, ...subjects.map(subject => subject.needs))
  const missing = Object.entries<string>(needs).filter(([command]) => !isInPath(command))
  if (missing.length === 0) return
  const packages = new Set(missing.map(([, name]) => name))
  throw new AbsentError(`missing: ${missing.map(([command]) => command).join(', ')}; run `
    + `apt-get install ${[...packages].join(' ')}`)
}

function isInPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some(folder => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

export async function machineNow(loadBefore: number): Promise<Machine> {
  const [processor] = cpus()
  return {
    kernel: release(), processor: processor?.model.trim() ?? 'unknown', cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9), loadBefore, loadAfter: loadNow(),
    systemCallNs: systemCallNs(), wakeMicros: await wakeMicros(),
  }
}

export function loadNow(): number {
  return Number(loadavg()[0]?.toFixed(2))
}

export async function versionsOf(
  subjects: readonly Pick<Subject, 'name' | 'version'>[],
): Promise<Record<string, string>> {
  const said: Record<string, string> = {
    Debian: readFileSync('/etc/debian_version', 'utf8').trim(),
    Node: process.versions.node,
    iperf3: await firstMatch(['iperf3', '--version'], /iperf (\S+)/),
    iproute2: await firstMatch(['ip', '-V'], /iproute2-(\S+?),/),
  }
  for (const subject of subjects) {
    const version = await subject.version()
    if (version !== '') said[subject.name] = version
  }
  return said
}

/** The first group of `pattern` in what the command prints, or "unknown". */
export async function firstMatch(argv: readonly string[], pattern: RegExp): Promise<string> {
  const { stdout, stderr } = await exec(argv)
  return pattern.exec(stdout + stderr)?.[1] ?? 'unknown'
}
