// A lab for one test file: up before its first test, gone after its last (docs/LAB.md).
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { exec, type ExecResult } from '../../src/base/exec.ts'
import type { StatusView, TaskView } from '../../src/daemon/views.ts'
import { lacking, type Needs } from './needs.ts'
import { Running } from './running.ts'

/** Without what tap adds to every Node that a test starts: a lab runs as it does elsewhere. */
const LAB = ['env', '-u', 'NODE_OPTIONS', join(import.meta.dirname, '..', '..', 'scripts', 'lab')]
/** Where the API of a node answers. */
export const SOCKET = '/run/tapmesh/tapmesh.sock'
const UP_TIMEOUT_MS = 240_000

/** How the nodes know each other: docs/LAB.md. */
export type Peers = 'cluster' | 'vteps' | 'none'
export type LabOptions = Readonly<{ nodes: number; peers?: Peers; needs?: Needs }>

/** A lab for the file that calls this. */
export function useLab(options: LabOptions): Lab {
  const lab = new Lab(options)
  if (lab.lacks !== false) return lab
  t.before(() => lab.up())
  t.teardown(() => lab.down())
  return lab
}

/** Takes the lab down if this process is killed, by a time-out for one, before it could do so. */
function downAfter(pid: number, name: string): ChildProcess {
  const guard = spawn('sh', ['-c', 'tail --pid="$1" -f /dev/null && shift && exec "$@"', 'sh',
    String(pid), ...LAB, 'down', '--name', name], { detached: true, stdio: 'ignore' })
  guard.unref()
  return guard
}

export class Lab {
  readonly name = `t${process.pid.toString(36)}`
  readonly lacks: string | false
  readonly nodes: readonly string[]
  readonly #peers: Peers
  readonly #running: Running[] = []
  #guard: ChildProcess | undefined

  /** Without a word about peers, each node is told the VTEPs of the others. */
  constructor({ nodes, peers = 'vteps', needs = {} }: LabOptions) {
    this.#peers = peers
    this.lacks = lacking(needs)
    this.nodes = Array.from({ length: nodes }, (_, i) => `node${i + 1}`)
  }

  /** A test that is skipped when the machine lacks what this lab, or `needs`, ask for. */
  test(name: string, body: (t: Test) => Promise<void>, needs: Needs = {}): void {
    t.test(name, { skip: this.lacks === false ? lacking(needs) : this.lacks }, body)
  }

  async up(): Promise<void> {
    this.#guard = downAfter(process.pid, this.name)
    await this.#lab(['up', '--peers', this.#peers, '--nodes', String(this.nodes.length)],
      UP_TIMEOUT_MS)
  }

  async down(): Promise<void> {
    await Promise.all(this.#running.map(one => one.stop('SIGKILL')))
    await this.#lab(['down'], UP_TIMEOUT_MS)
    if (this.#guard?.pid !== undefined) process.kill(-this.#guard.pid) // with what it waits by
  }

  /** Start, stop, kill or restart the daemon of a node, and wait until that is done. */
  async daemon(node: string, what: 'start' | 'stop' | 'kill' | 'restart'): Promise<void> {
    await this.#lab(['daemon', node, what], UP_TIMEOUT_MS)
  }

  /** What the daemon of `node` has logged since the lab is up, oldest first. */
  async log(node: string): Promise<string> {
    return (await this.#lab(['logs', node], UP_TIMEOUT_MS)).stdout
  }

  /**
   * The words that run a command in a place of the lab.
   * @param where a host ("node1", "client"), or a task's network namespace on it ("node1/web")
   */
  words(where: string, command: readonly string[]): string[] {
    const [host = '', task] = where.split('/')
    const inside = task === undefined ? [] : ['ip', 'netns', 'exec', `tm-${task}`]
    return [...LAB, 'exec', '--name', this.name, host, '--', ...inside, ...command]
  }

  /** Run a command to its end; it may fail. */
  run(where: string, ...command: string[]): Promise<ExecResult> {
    return exec(this.words(where, command))
  }

  /** Run a command that must not fail; answers its stdout. */
  async out(where: string, ...command: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(where, ...command)
    if (code === 0) return stdout
    throw new Error(`${where}: ${command.join(' ')}: exit ${code}: ${stderr}${stdout}`)
  }

  /** Run a shell script that must not fail. */
  sh(where: string, script: string): Promise<string> {
    return this.out(where, 'bash', '-euc', script)
  }

  /** Start a command and leave it running, until it is stopped or the lab goes down. */
  start(where: string, ...command: string[]): Running {
    const running = new Running(this.words(where, command))
    this.#running.push(running)
    return running
  }

  async tapmesh(node: string, ...words: string[]): Promise<string> {
    return (await this.out(node, 'tapmesh', ...words)).trim()
  }

  /** What the API of a node answers; a program's way in, and quicker than a command. */
  async api<T>(node: string, path: string): Promise<T> {
    const url = `http://tapmesh/v1/${path}`
    return JSON.parse(await this.out(node, 'curl', '-s', '--fail-with-body', '--max-time', '10',
      '--unix-socket', SOCKET, url)) as T
  }

  status(node: string): Promise<StatusView> {
    return this.api<StatusView>(node, 'status')
  }

  async drops(node: string, reason: string): Promise<number> {
    return (await this.status(node)).drops[reason] ?? Number.NaN
  }

  async count(node: string, name: string): Promise<number> {
    return (await this.status(node)).counters[name] ?? Number.NaN
  }

  task(node: string, name: string): Promise<TaskView> {
    return this.api<TaskView>(node, `tasks/${name}`)
  }

  /** The same network, under the same name, on some nodes. */
  async createNetwork(name: string, nodes: readonly string[], ...options: string[]): Promise<void> {
    for (const node of nodes) await this.tapmesh(node, 'network', 'create', ...options, name)
  }

  /** Start a task and leave it. @returns its id */
  runTask(node: string, name: string, network: string, ...command: string[]): Promise<string> {
    return this.tapmesh(node, 'run', '-d', '--name', name, '--network', network, '--', ...command)
  }

  /** A namespace without a process, as `run` makes it. @param words further options of `run` */
  bareTask(node: string, name: string, network: string, ...words: string[]): Promise<string> {
    return this.tapmesh(node, 'run', '-d', '--name', name, '--network', network, ...words)
  }

  async #lab(words: string[], timeoutMs: number): Promise<ExecResult> {
    const result = await exec([...LAB, ...words, '--name', this.name], timeoutMs)
    if (result.code === 0) return result
    throw new Error(`scripts/lab ${words.join(' ')}: ${result.stderr}`)
  }
}
