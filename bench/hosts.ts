// Two hosts in miniature: each has a network, mount, UTS and PID namespace of its own, a private
// /run, and one end of a veth pair (eth1, MTU 1500). Process 1 of a host reads a pipe that this
// process holds, so a host ends with all that runs in it even when this process is killed with -9.
import { spawn, type ChildProcess } from 'node:child_process'
import { TapmeshError, type Facts } from '../src/base/errors.ts'
import { exec } from '../src/base/exec.ts'
import { takeSnapshot } from './cpu.ts'

export const UNDERLAY_DEVICE = 'eth1'
export const UNDERLAY_MTU = 1500
const START_TIMEOUT_MS = 15_000
const CLOSE_TIMEOUT_MS = 5_000
const COMMAND_TIMEOUT_MS = 20_000
const POLL_MS = 20
const OUTPUT_KEPT_CHARS = 64_000
const WORDS_SHOWN_CHARS = 600

export class BenchError extends TapmeshError {
  constructor(message: string, facts?: Facts) {
    super('TM_BENCH', message, facts)
  }
}

/** `A`: the veth pair as the kernel makes it. `B`: no segmentation, merging or checksum offload. */
export type Setting = 'A' | 'B'

/** Where a command runs: null is the host itself, a name is a network namespace of that host. */
export type Netns = string | null

export type Running = Readonly<{
  /** Index of the host it runs on */
  host: 1 | 2
  /** The process itself, not the nsenter that started it; as seen from outside of the host. */
  pid(): number
  /** What it has printed so far, bounded. */
  output(): string
  /** Exit code; null when a signal ended it. */
  ended: Promise<number | null>
}>

export type Host = Readonly<{
  index: 1 | 2
  name: string
  /** Underlay address: 192.168.56.11 or .12 */
  address: string
  /** Process 1 of the host, as seen from outside; its files are under /proc/PID/root. */
  pid: number
  /** The answer is stdout. @throws BenchError with what the command said */
  run(argv: readonly string[], netns?: Netns, timeoutMs?: number): Promise<string>
  /** Go on when `ready` is in the output. @throws BenchError when it ends before or is late */
  start(argv: readonly string[], netns?: Netns, ready?: RegExp): Promise<Running>
}>

export type Hosts = Readonly<{ pair: readonly [Host, Host]; close(): Promise<void> }>

/** The path, as this process must name it, of a file as the host sees it. */
export function fileIn(host: Host, path: string): string {
  return `/proc/${host.pid}/root${path}`
}

/** The end of an output, for an error: without the places of a stack trace. */
export function lastWords(output: string): string {
  const lines = output.split('\n').filter(line => line.trim() !== '' && !/^ +at /.test(line))
  return lines.map(line => line.trim()).join(' ').slice(-WORDS_SHOWN_CHARS)
}

/** Ask `holds` every 20 ms until it answers true. @throws BenchError after `timeoutMs` */
export async function waitUntil(
  holds: () => boolean | Promise<boolean>, timeoutMs: number, what: string,
): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!await holds()) {
    if (performance.now() > endMs) throw new BenchError(`${what}: not within ${timeoutMs / 1000} s`)
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}

export async function openHosts(setting: Setting): Promise<Hosts> {
  const holders: ChildProcess[] = []
  const close = async () => void await Promise.all(holders.map(closeHolder))
  try {
    const pair = [await openHost(1, holders), await openHost(2, holders)] as const
    await joinHosts(pair, setting)
    return { pair, close }
  } catch (error) {
    await close()
    throw error
  }
}

// A sysfs of its own, because /sys shows the devices of the namespace that mounted it.
const HOST_SCRIPT = 'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/netns '
  + '&& mount -t sysfs sysfs /sys && hostname "$0" && ip link set lo up && echo ready && exec cat'

async function openHost(index: 1 | 2, holders: ChildProcess[]): Promise<Host> {
  const name = `h${index}`
  const holder = spawn('unshare', ['--mount', '--net', '--uts', '--pid', '--fork', '--kill-child',
    '--mount-proc', '--propagation', 'private', 'sh', '-c', HOST_SCRIPT, name])
  holders.push(holder)
  const watched = watch(holder, index)
  await watched.until(/^ready$/m, `host ${name}`)
  const pid = childOf(holder.pid)
  const enter = (netns: Netns) => ['nsenter', '-t', String(pid), '-m', '-u', '-p',
    netns === null ? '--net' : `--net=/proc/${pid}/root/run/netns/${netns}`]
  return {
    index, name, pid, address: `192.168.56.1${index}`,
    async run(argv, netns = null, timeoutMs = COMMAND_TIMEOUT_MS) {
      const result = await exec([...enter(netns), ...argv], timeoutMs)
      if (result.code === 0) return result.stdout
      const said = lastWords(`${result.stderr.trim()} ${result.stdout.trim()}`)
      throw new BenchError(`${name}: ${argv.join(' ')}: exit code ${result.code}: ${said}`)
    },
    async start(argv, netns = null, ready) {
      const [file = '', ...args] = [...enter(netns), ...argv]
      const started = watch(spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] }), index)
      if (ready !== undefined) await started.until(ready, `${name}: ${argv.join(' ')}`)
      return started
    },
  }
}

async function joinHosts(pair: readonly [Host, Host], setting: Setting): Promise<void> {
  const [one, two] = pair
  const mtu = String(UNDERLAY_MTU)
  // Entered without the PID namespace: the number of the other host must mean what it means here.
  const joined = await exec(['nsenter', '-t', String(one.pid), '-n', 'ip', 'link', 'add',
    UNDERLAY_DEVICE, 'mtu', mtu, 'type', 'veth', 'peer', 'name', UNDERLAY_DEVICE, 'mtu', mtu,
    'netns', String(two.pid)])
  if (joined.code !== 0) throw new BenchError(`cannot join the two hosts: ${joined.stderr.trim()}`)
  for (const host of pair) {
    await host.run(['ip', 'addr', 'add', `${host.address}/24`, 'dev', UNDERLAY_DEVICE])
    await host.run(['ip', 'link', 'set', UNDERLAY_DEVICE, 'up'])
    if (setting === 'A') continue
    await host.run(['ethtool', '-K', UNDERLAY_DEVICE,
      ...['tso', 'gso', 'gro', 'tx', 'rx'].flatMap(feature => [feature, 'off'])])
  }
}

type Watched = Running & { until(ready: RegExp, what: string): Promise<void> }

function watch(child: ChildProcess, host: 1 | 2): Watched {
  let output = ''
  let over = false
  const keep = (chunk: Buffer) => void (output = (output + chunk).slice(-OUTPUT_KEPT_CHARS))
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const ended = new Promise<number | null>(resolve => {
    child.once('error', error => {
      output += error.message
      resolve(127)
    })
    child.once('close', resolve)
  })
  void ended.then(() => void (over = true))
  return {
    host, ended,
    pid: () => childOf(child.pid),
    output: () => output,
    until: async (ready, what) => {
      await waitUntil(() => over || ready.test(output), START_TIMEOUT_MS, what)
      if (!ready.test(output)) throw new BenchError(`${what}: ended: ${lastWords(output)}`)
    },
  }
}

/** The only child of an unshare or nsenter that forked. */
function childOf(pid: number | undefined): number {
  for (const [child, { parent }] of takeSnapshot().processes) if (parent === pid) return child
  throw new BenchError(`process ${pid} has no child any more`)
}

async function closeHolder(holder: ChildProcess): Promise<void> {
  if (holder.exitCode !== null || holder.signalCode !== null) return
  const closed = new Promise(resolve => holder.once('close', resolve))
  holder.stdin?.end()
  // With --kill-child the kernel ends process 1, and with it the PID namespace.
  const late = setTimeout(() => holder.kill('SIGKILL'), CLOSE_TIMEOUT_MS)
  await closed
  clearTimeout(late)
}
