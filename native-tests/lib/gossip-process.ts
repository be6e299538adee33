// Members of a mesh as processes, ours and HashiCorp's, driven by lines of JSON.
import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type {
  GossipCommand, GossipEvent, MemberFacts, MemberState,
} from '../../bench/gossip-lines.ts'
import { exec } from '../../src/base/exec.ts'
import { until, within } from './wait.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const GO_SOURCE = join(import.meta.dirname, 'memberlist-peer', 'main.go')
const CACHE = join(ROOT, 'node_modules', '.cache', 'tapmesh')
/** Where Debian's packages of Go sources are. */
const GO_PATH = '/usr/share/gocode'
const BUILD_TIMEOUT_MS = 240_000
/** Longest wait for the answer to a command: memberlist takes 5 s to leave. */
const ANSWER_MS = 15_000

/** What a member is started with; not every one knows every option. */
export type GossipOptions = Readonly<Record<string, string | number | boolean>>

/**
 * The Go member, compiled when its source or memberlist's version is new.
 * @throws Error with what the compiler said
 */
export async function buildMemberlistPeer(): Promise<string> {
  const version = await exec(['dpkg-query', '-W', 'golang-go', 'golang-github-hashicorp-*-dev'])
  const hash = createHash('sha256').update(readFileSync(GO_SOURCE)).update(version.stdout)
  const program = join(CACHE, `memberlist-peer-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(program)) return program
  mkdirSync(CACHE, { recursive: true })
  const made = `${program}.${process.pid}`
  const { code, stderr } = await exec(['env', 'GO111MODULE=off', 'GOFLAGS=', `GOPATH=${GO_PATH}`,
    `GOCACHE=${join(CACHE, 'go')}`, 'go', 'build', '-o', made, GO_SOURCE], BUILD_TIMEOUT_MS)
  if (code !== 0) throw new Error(`go build: ${stderr}`)
  renameSync(made, program)
  return program
}

/** The words that start the Go member. */
export function goMember(program: string, options: GossipOptions): string[] {
  return [program, ...Object.entries(options).map(([name, value]) => `-${name}=${value}`)]
}

/** The words that start our member: the mesh alone, or with tables and their store. */
export function ourMember(
  options: GossipOptions, program: 'gossip-node' | 'gossip-cluster-node' = 'gossip-node',
): string[] {
  const words = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  return ['env', '-u', 'NODE_OPTIONS', process.execPath, join(ROOT, 'bench', `${program}.ts`),
    ...words]
}

export class GossipProcess {
  readonly name: string
  readonly events: GossipEvent[] = []
  /** What it said last of each member. */
  readonly states = new Map<string, MemberState>()
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #stderr = ''

  constructor(name: string, [file = '', ...args]: readonly string[]) {
    this.name = name
    this.#child = spawn(file, args, { stdio: 'pipe' })
    this.#child.stderr!.on('data', (chunk: Buffer) => { this.#stderr += chunk.toString() })
    this.#child.stdin!.on('error', () => {})
    createInterface({ input: this.#child.stdout! }).on('line', line => {
      const event = JSON.parse(line) as GossipEvent
      this.events.push(event)
      if (event.event === 'member') {
        this.states.set(String(event['name']), event['state'] as MemberState)
      }
    })
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', () => resolve())
    })
    this.#ended.catch(() => {})
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** The first event of this kind that `accept` takes, from the event number `from` on. */
  event(kind: string, accept: (event: GossipEvent) => boolean = () => true, from = 0,
    timeoutMs?: number): Promise<GossipEvent> {
    let at = from
    return until(`${this.name}: event ${kind}; it says: ${this.#stderr}`, () => {
      for (; at < this.events.length; at += 1) {
        const event = this.events[at]!
        if (event.event === kind && accept(event)) return event
      }
      return undefined
    }, timeoutMs)
  }

  ready(): Promise<GossipEvent> {
    return this.event('ready')
  }

  tell(command: GossipCommand): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
  }

  /** Answers the event that says so. @throws Error when it could not be done */
  async ask(command: GossipCommand): Promise<GossipEvent> {
    const from = this.events.length
    this.tell(command)
    const done = await this.event('done', event => event['do'] === command.do, from, ANSWER_MS)
    if (done['error'] !== '') throw new Error(`${this.name}: ${command.do}: ${done['error']}`)
    return done
  }

  /** Those that it takes for alive or suspects, by name. */
  async members(): Promise<MemberFacts[]> {
    const from = this.events.length
    this.tell({ do: 'members' })
    const { members } = await this.event('members', () => true, from)
    return (members as MemberFacts[]).sort((a, b) => a.name < b.name ? -1 : 1)
  }

  /** Waits until this is said of the member `name`. */
  async sees(name: string, state: MemberState, timeoutMs?: number): Promise<GossipEvent> {
    return this.event('member', event => event['name'] === name && event['state'] === state,
      this.#lastSaid(name, state), timeoutMs)
  }

  /** What could not be read, by reason; ours alone knows it. */
  async refused(): Promise<Record<string, number>> {
    const from = this.events.length
    this.tell({ do: 'counters' })
    const { refused } = await this.event('counters', () => true, from)
    return refused as Record<string, number>
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await within(`end of ${this.name}`, this.#ended)
  }

  /** Where to look from: the last word about this member if it is this one, else the end. */
  #lastSaid(name: string, state: MemberState): number {
    const last = this.events.findLastIndex(({ event, name: of }) =>
      event === 'member' && of === name)
    return last >= 0 && this.events[last]!['state'] === state ? last : last + 1
  }
}
