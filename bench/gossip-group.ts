// A group of members as processes on the loopback device of a network namespace of its own, so that
// the device counts their packets and nobody else's.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { GossipProcess } from '../native-tests/lib/gossip-process.ts'
import { until } from '../native-tests/lib/wait.ts'
import { exec } from '../src/base/exec.ts'
import type { Starter } from './gossip-kinds.ts'
import { nowUs, SPREAD_MARK } from './gossip-lines.ts'
import { BenchError } from './hosts.ts'

const HOST = '127.0.0.1'
const FIRST_PORT = 20_000
const START_MS = 120_000
const REACH_MS = 90_000
/** Of a change. memberlist sends one a fixed number of times, and not again to who missed all. */
const CHANGE_MS = 15_000
const DEATH_MS = 120_000
const NS_PER_MS = 1e6

/** What one change, or one death, took to each of the others, in ms, smallest first. */
export type Delays = readonly number[]

export type Idle = Readonly<{
  /** Of the processor, for each member and second. */
  cpuMs: number
  /** On the wire, headers and acknowledgements of TCP among them: for each member and second. */
  octets: number
  packets: number
  residentMiB: number
}>

export class GossipGroup {
  readonly #starter: Starter
  readonly #keys: string
  readonly #namespace: string
  readonly #directory: string
  readonly #members: GossipProcess[] = []
  /** Those that were killed, and when: so long others are right to call them dead. */
  readonly #dead: Dead[] = []
  /** All that ever ran. */
  readonly #everybody: GossipProcess[] = []
  #changes = 0
  #untold = 0

  constructor(starter: Starter, keys: string) {
    this.#starter = starter
    this.#keys = keys
    this.#namespace = `tmbg-${process.pid}-${starter.kind}`
    this.#directory = mkdtempSync(join(tmpdir(), 'tapmesh-gossip-'))
  }

  get size(): number {
    return this.#members.length
  }

  /** How often somebody had not heard of a change in the end. */
  get untold(): number {
    return this.#untold
  }

  /** How often somebody called a member dead that lived. */
  get falseDeaths(): number {
    return this.#everybody.flatMap(({ events }) => events).filter(({ atUs, event, name, state }) =>
      event === 'member' && isDeath(state) && !this.#dead.some(dead =>
        dead.name === name && dead.fromUs <= atUs && atUs < dead.toUs)).length
  }

  /** @throws BenchError when they do not find each other */
  async start(count: number): Promise<void> {
    const made = await exec(['ip', 'netns', 'add', this.#namespace])
    if (made.code !== 0) throw new BenchError(made.stderr.trim())
    await exec(['ip', '-n', this.#namespace, 'link', 'set', 'lo', 'up'])
    for (let index = 0; index < count; index += 1) {
      // One after the other, as machines join. A burst would measure the burst.
      this.#members.push(await this.#startOne(index))
    }
    await this.#know('all know all')
  }

  async stop(): Promise<void> {
    await Promise.all(this.#everybody.map(member => member.kill()))
    await exec(['ip', 'netns', 'del', this.#namespace])
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async idle(seconds: number): Promise<Idle> {
    const before = this.#usage()
    const startMs = performance.now()
    await pause(seconds * 1000)
    const after = this.#usage()
    const each = this.size * (performance.now() - startMs) / 1000
    return {
      cpuMs: (after.cpuNs - before.cpuNs) / NS_PER_MS / each,
      octets: (after.octets - before.octets) / each,
      packets: (after.packets - before.packets) / each,
      residentMiB: after.residentKiB / 1024 / this.size,
    }
  }

  /** One member says something: after how long does each of the others know that ever does? */
  async change(): Promise<Delays> {
    this.#changes += 1
    const text = `change ${this.#changes}`
    const from = this.#members[this.#changes % this.size]!
    const others = this.#members.filter(member => member !== from)
    const heard = others.map(member => member.event('user',
      ({ text: said }) => said === `${SPREAD_MARK}${text}`, member.events.length, CHANGE_MS))
    const told = Promise.allSettled(heard)
    const { fromUs } = await from.ask({ do: 'spread', text })
    const events = (await told).flatMap(one => one.status === 'fulfilled' ? [one.value] : [])
    this.#untold += others.length - events.length
    return events.map(({ atUs }) => (atUs - Number(fromUs)) / 1000).sort((a, b) => a - b)
  }

  /** One member is killed: after how long does each of the others say that it is dead? */
  async kill(index: number): Promise<Delays> {
    const victim = this.#members[index]!
    const others = this.#members.filter(member => member !== victim)
    const told = others.map(member => member.event('member', ({ name, state }) =>
      name === victim.name && isDeath(state), member.events.length, DEATH_MS))
    const fromUs = nowUs()
    this.#dead.push({ name: victim.name, fromUs, toUs: Infinity })
    await victim.kill()
    const events = await Promise.all(told)
    return events.map(({ atUs }) => (atUs - fromUs) / 1000).sort((a, b) => a - b)
  }

  /** It is started again: after how long does each of the others say that it lives? */
  async restart(index: number): Promise<Delays> {
    const others = this.#members.filter((_, i) => i !== index)
    const { name } = this.#members[index]!
    const from = others.map(({ events }) => events.length)
    const again = await this.#startOne(index)
    this.#members[index] = again
    const alive = await Promise.all(others.map((member, i) => member.event('member',
      event => event['name'] === name && event['state'] === 'alive', from[i], REACH_MS)))
    await this.#know('all know all again')
    const dead = this.#dead.find(one => one.name === name && one.toUs === Infinity)
    if (dead !== undefined) dead.toUs = nowUs()
    const { atUs } = await again.ready()
    return alive.map(event => (event.atUs - atUs) / 1000).sort((a, b) => a - b)
  }

  async #startOne(index: number): Promise<GossipProcess> {
    const name = `m${index}`
    const seed = index === 0 ? this.#members.length > 0 ? 1 : -1 : 0
    const seeds = seed < 0 ? [] : [`${HOST}:${FIRST_PORT + seed}`]
    const words = this.#starter.words({
      name, host: HOST, port: FIRST_PORT + index, keys: this.#keys, seed: seeds[0] ?? '',
      directory: this.#directory,
    })
    const member = new GossipProcess(name, ['ip', 'netns', 'exec', this.#namespace, ...words])
    this.#everybody.push(member)
    await member.ready()
    if (!this.#starter.joins && seeds.length > 0) await member.ask({ do: 'join', seeds })
    return member
  }

  async #know(what: string): Promise<void> {
    await until(what, () => this.#members.every(member => this.#members.every(other =>
      other === member || member.states.get(other.name) === 'alive')), START_MS)
  }

  #usage(): Usage {
    const pids = this.#members.map(({ pid }) => pid)
    const device = readFileSync(`/proc/${pids[0]}/net/dev`, 'utf8')
    const [, columns = ''] = /^ *lo:(.*)$/m.exec(device) ?? []
    const [octets = 0, packets = 0] = columns.trim().split(/\s+/).map(Number)
    return {
      octets, packets,
      cpuNs: pids.reduce((sum, pid) => sum + cpuNs(pid), 0),
      residentKiB: pids.reduce((sum, pid) => sum + residentKiB(pid), 0),
    }
  }
}

type Dead = { readonly name: string; readonly fromUs: number; toUs: number }
type Usage = Readonly<{ octets: number; packets: number; cpuNs: number; residentKiB: number }>

function isDeath(state: unknown): boolean {
  return state === 'dead' || state === 'gone'
}

/** All threads; /proc/PID/stat counts in steps of 10 ms, which is too coarse here. */
function cpuNs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [running = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
    return sum + Number(running)
  }, 0)
}

function residentKiB(pid: number): number {
  const [, size = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(size)
}
