// What can happen to a cluster, by a seed: hosts that crash and come back, move or get another
// name, cuts in both directions and in one, processes that stand still, loss, doubles, overtaking.
// When it is over everybody has to see everybody who is there, and nobody else.
import { makeRandom, pick, type Random32 } from '../base/prng.ts'
import type { MeshAddress } from './mesh-address.ts'
import { NO_KEEP_ALIVES, SimulatedCluster, type SimulatedNode } from './simulation.test-kit.ts'

const STEPS = 8
const STEP_MAX_MS = 40_000
/** After all is well again: to suspect the dead among few, with loss, takes most of this. */
const SETTLE_MAX_MS = 90_000
const LOSSES = [0, 0.02, 0.2]

/** What went wrong, with all that had been done; null when nothing did. */
export function runHistory(seed: number): string | null {
  return new History(seed).run()
}

class History {
  readonly #random: Random32
  readonly #cluster: SimulatedCluster
  readonly #paused = new Set<SimulatedNode>()
  readonly #log: string[]
  #hosts: number

  constructor(seed: number) {
    this.#random = makeRandom(seed * 7919)
    const loss = LOSSES[this.#pick(LOSSES.length)]!
    const hasKeepAlives = this.#pick(2) === 0
    this.#cluster = new SimulatedCluster({
      seed, conditions: { loss, duplication: 0.02, reordering: 0.05 },
      mesh: hasKeepAlives ? {} : { keepAliveTimings: NO_KEEP_ALIVES },
    })
    this.#hosts = 3 + this.#pick(6)
    this.#log = [`seed ${seed}, ${this.#hosts} members, loss ${loss}, `
      + `${hasKeepAlives ? 'with' : 'without'} keep-alives`]
  }

  run(): string | null {
    const cluster = this.#cluster
    cluster.grow(this.#hosts)
    for (let step = 0; step < STEPS; step += 1) {
      this.#do()
      cluster.run(this.#pick(STEP_MAX_MS))
    }
    this.#say('all is well again')
    cluster.network.heal()
    for (const node of this.#paused) node.resume()
    const converges = cluster.converges(SETTLE_MAX_MS)
    const tooLong = cluster.running.find(({ mesh: { swim } }) => {
      return swim.queued > swim.members().length
    })
    if (converges && tooLong === undefined) return null
    const views = cluster.running.map(node => `${node.name} sees ${node.view().join(', ')}`)
    return [...this.#log, ...views, tooLong === undefined ? '' : `${tooLong.name} has a long queue`]
      .join('\n')
  }

  #pick(below: number): number {
    return pick(this.#random, below)
  }

  #say(what: string): void {
    this.#log.push(`${Math.round(this.#cluster.time.nowMs())} ms: ${what}`)
  }

  #do(): void {
    const { network, running } = this.#cluster
    const node = running[this.#pick(running.length)]!
    const other = running[this.#pick(running.length)]!
    const addresses = running.map(({ address }) => address)
    const cut = 1 + this.#pick(Math.max(1, running.length - 1))
    switch (this.#pick(9)) {
      case 0:
        this.#say(`the first ${cut} are cut off`)
        return network.partition([addresses.slice(0, cut), addresses.slice(cut)])
      case 1:
        this.#say('cuts are healed')
        return network.heal()
      case 2: return this.#replace(node, 'starts again', node.name, hostOf(node))
      case 3:
        this.#hosts += 1
        return this.#replace(node, 'moves', node.name, this.#hosts)
      case 4: return this.#replace(node, 'gets another name', `${node.name}-`, hostOf(node))
      case 5:
        this.#say(`${node.name} stands still`)
        this.#paused.add(node)
        return node.pause()
      case 6:
        this.#say('all go on')
        for (const paused of this.#paused) paused.resume()
        return this.#paused.clear()
      case 7:
        this.#say(`nothing gets from ${node.name} to ${other.name}`)
        return node === other ? undefined : network.cut(node.address, other.address)
      default:
        if (this.#paused.has(node)) return
        this.#say(`${node.name} leaves and joins`)
        node.handle({ type: 'leave' })
        this.#cluster.run(2000)
        return node.handle({ type: 'join', seeds: this.#seedsFor(node.address) })
    }
  }

  #replace(node: SimulatedNode, what: string, name: string, host: number): void {
    const cluster = this.#cluster
    if (cluster.running.length < 3) return
    this.#say(`${node.name} crashes and ${what}`)
    this.#paused.delete(node)
    node.crash()
    cluster.run(this.#pick(10_000))
    const next = cluster.add(name, host)
    next.handle({ type: 'join', seeds: this.#seedsFor(next.address) })
  }

  /** As from a disk: the addresses of all that were there. */
  #seedsFor(self: MeshAddress): MeshAddress[] {
    return this.#cluster.nodes.map(({ address }) => address)
      .filter(address => address.host !== self.host).slice(-16)
  }
}

function hostOf({ address }: SimulatedNode): number {
  return Number(address.host.split('.')[3])
}
