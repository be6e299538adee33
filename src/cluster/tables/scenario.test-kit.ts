// One history of a simulated cluster, made from a seed: what happens to it, and what must be true
// at its end. Whoever changes the order in which random numbers are drawn changes all histories.
import { pick } from '../../base/prng.ts'
import type { Write } from './events.ts'
import { EPOCH_GRACE_MS } from './owners.ts'
import { compareRows, type Row } from './rows.ts'
import {
  ENDPOINTS, QUIET_NETWORK, type SimNode, SPECS, World, type NetworkSpec,
} from './simulation.test-kit.ts'

const HOUR_MS = 3_600_000
/** From the moment that the membership is whole again, the tables are equal after so long. */
export const HEAL_MS = 2_000
const SPEC_KEYS = 6
const TABLES = [SPECS, ENDPOINTS, 'epochs']

export type Outcome = Readonly<{
  seed: number
  nodes: number
  /** null when everything held */
  fault: string | null
  /** what happened, for who looks into it */
  story: readonly string[]
}>

/** Run the history of `seed`. Never throws: what it found is in the outcome. */
export function runScenario(seed: number): Outcome {
  const scenario = new Scenario(seed)
  let fault: string | null = null
  try {
    scenario.run()
  } catch (error) {
    fault = (error as Error).message
  }
  return { seed, nodes: scenario.world.nodes.length, fault, story: scenario.story }
}

class Scenario {
  readonly world: World
  readonly story: string[] = []
  /** The newest row of each spec that must not get lost. */
  readonly #best = new Map<string, Row>()
  #hasBadClock = false
  #serial = 0

  constructor(seed: number) {
    const world = new World(seed, 0)
    const chance = (below: number): number => pick(world.random, below)
    const size = chance(1000)
    const count = size < 400 ? 3 : size < 700 ? 4 + chance(2) : size < 960 ? 6 + chance(4)
      : size < 995 ? 10 + chance(16) : 26 + chance(75)
    const network: NetworkSpec = {
      ...QUIET_NETWORK,
      lossPerMille: [0, 0, 20, 100, 200][chance(5)]!,
      dupPerMille: [0, 10, 100][chance(3)]!,
      latePerMille: [0, 20, 200][chance(3)]!,
    }
    this.world = new World(world.random(), count, network)
    if (chance(2) === 0) {
      for (const node of this.world.nodes) node.aheadMs = this.#chance(60_000) - 30_000
    }
    this.world.onChange = (node, changes) => {
      for (const { new: row } of changes) if (row?.stamp.node === node.id) this.#wrote(row)
    }
  }

  run(): void {
    const { world } = this
    const { nodes } = world
    this.#tell(`${nodes.length} nodes, ${JSON.stringify(world.network)}`)
    const late = nodes.length > 3 && this.#chance(4) === 0 ? 1 : 0
    world.start(...nodes.slice(late))
    world.runFor(1000)
    const steps = nodes.length > 25 ? 6 : 8 + this.#chance(16)
    for (let i = 0; i < steps; i += 1) {
      this.#act()
      world.runFor([0, 1, 20, 300, 1500][this.#chance(5)]!)
    }
    this.#mend()
    if (this.#hasBadClock) this.#waitForBadClock()
    this.#checkAll()
    this.#checkQuiet()
  }

  #chance(below: number): number {
    return pick(this.world.random, below)
  }

  #tell(what: string): void {
    this.story.push(`${(this.world.nowMs / 1000).toFixed(3)} ${what}`)
  }

  #one(): SimNode | undefined {
    const up = this.world.running().filter(node => !node.isPaused)
    return up[this.#chance(Math.max(up.length, 1))]
  }

  #act(): void {
    const dice = this.#chance(100)
    if (dice < 30) this.#writeSpecs()
    else if (dice < 40) this.#deleteSpec()
    else if (dice < 60) this.#writeEndpoints()
    else if (dice < 66) this.#deleteEndpoint()
    else if (dice < 76) this.#split()
    else if (dice < 79) this.#cutOneWay()
    else if (dice < 83) this.#pause()
    else if (dice < 93) this.#restart()
    else if (dice < 95) this.#leave()
    else if (dice < 98) this.#jumpClock()
    else this.#burst()
  }

  #write(node: SimNode, writes: readonly Write[]): void {
    this.#tell(`${node.name} writes ${writes.slice(0, 3).map(w => `${w.table}:${w.key}`
      + (w.value === null ? ' -' : '')).join(' ')}${writes.length > 3 ? ' …' : ''}`)
    this.world.step(node, { type: 'write', writes })
  }

  #value(): Uint8Array {
    this.#serial += 1
    return new TextEncoder().encode(`v${this.#serial}`)
  }

  #specKey(): string {
    return `s${this.#chance(SPEC_KEYS)}`
  }

  /** Sometimes two nodes write the same key at once. */
  #writeSpecs(): void {
    const key = this.#specKey()
    for (let i = this.#chance(3); i >= 0; i -= 1) {
      const node = this.#one()
      if (node !== undefined) this.#write(node, [{ table: SPECS, key, value: this.#value() }])
    }
  }

  #deleteSpec(): void {
    const key = this.#specKey()
    const node = this.#one()
    if (node === undefined) return
    if (this.#chance(3) === 0) {
      const other = this.#one()!
      this.#write(other, [{ table: SPECS, key, value: this.#value() }])
    }
    this.#write(node, [{ table: SPECS, key, value: null }])
  }

  #writeEndpoints(): void {
    const node = this.#one()
    if (node === undefined) return
    const writes = Array.from({ length: 1 + this.#chance(4) }, () => {
      const key = `${node.id}/${this.#chance(6)}`
      const value = this.#chance(20) === 0 ? new Uint8Array(3000) : this.#value()
      node.endpoints.set(key, value)
      return { table: ENDPOINTS, key, value }
    })
    this.#write(node, writes)
  }

  #deleteEndpoint(): void {
    const node = this.#one()
    const key = node === undefined ? undefined
      : [...node.endpoints.keys()][this.#chance(Math.max(node.endpoints.size, 1))]
    if (node === undefined || key === undefined) return
    node.endpoints.delete(key)
    this.#write(node, [{ table: ENDPOINTS, key, value: null }])
  }

  #burst(): void {
    const node = this.#one()
    if (node === undefined) return
    const writes = Array.from({ length: 50 + this.#chance(250) }, (_, i) =>
      ({ table: SPECS, key: `burst${i}`, value: this.#value() }))
    this.#write(node, writes)
  }

  #split(): void {
    const { world } = this
    const side = world.nodes.filter(() => this.#chance(2) === 0)
    const rest = world.nodes.filter(node => !side.includes(node))
    if (this.#chance(3) === 0) world.heal()
    world.cut(side, rest)
    world.cut(rest, side)
    const lasts = this.#chance(10)
    this.#tell(`split ${side.map(node => node.name).join(' ')} from the rest`)
    if (lasts === 0) {
      this.#writeDuringSplit(5)
      world.runFor(4000)
      this.#tell('25 hours pass')
      world.leap(25 * HOUR_MS)
      world.runFor(1000)
    } else this.#writeDuringSplit(lasts < 3 ? 60 : 5)
    if (this.#chance(2) === 0) return
    this.#tell('heal')
    world.heal()
  }

  #writeDuringSplit(seconds: number): void {
    for (let i = this.#chance(4); i > 0; i -= 1) {
      this.#writeSpecs()
      this.#deleteSpec()
      this.#writeEndpoints()
      this.world.runFor(seconds * 100)
    }
    this.world.runFor(seconds * 500)
  }

  #cutOneWay(): void {
    const [from, to] = [this.#one(), this.#one()]
    if (from === undefined || to === undefined || from === to) return
    this.#tell(`nothing gets from ${from.name} to ${to.name}`)
    this.world.cut([from], [to])
  }

  #pause(): void {
    const node = this.#one()
    if (node === undefined) return
    this.#tell(`${node.name} stands still`)
    this.world.pause(node)
    this.world.runFor(this.#chance(8000))
    this.world.resume(node)
  }

  #restart(): void {
    const { world } = this
    const node = world.nodes[this.#chance(world.nodes.length)]!
    if (node.tables !== null) {
      world.kill(node)
      const isLost = this.#chance(3) === 0
      if (isLost) node.disk = { meta: null, rows: new Map() }
      for (const key of [...node.endpoints.keys()]) {
        if (this.#chance(2) === 0) node.endpoints.delete(key)
      }
      this.#tell(`${node.name} dies${isLost ? ' and loses its disk' : ''}`)
      this.#findBest()
      // Without its disk only the clock tells one boot of a node from the next, by the second.
      world.runFor(isLost ? 1100 : [0, 100, 5000][this.#chance(3)]!)
    }
    if (this.#chance(4) === 0) return
    // Whoever lost everything knows nobody: it must join, and so be able to.
    const isNew = node.disk.meta === null
    if (isNew && world.running().length === 0) return
    if (isNew) world.heal()
    this.#tell(`${node.name} starts`)
    world.start(node)
    if (isNew) world.runFor(1500)
  }

  #leave(): void {
    const node = this.#one()
    if (node === undefined || this.world.running().length < 3) return
    this.#tell(`${node.name} leaves`)
    node.endpoints.clear()
    this.world.step(node, { type: 'leave' })
    this.world.runFor(500)
    this.world.kill(node)
    node.disk = { meta: null, rows: new Map() }
    this.#findBest()
    this.world.runFor(1100)
  }

  #jumpClock(): void {
    const node = this.#one()
    if (node === undefined) return
    const byMs = [HOUR_MS, -HOUR_MS, 30_000, -30_000, HOUR_MS][this.#chance(5)]!
    this.#tell(`the clock of ${node.name} jumps by ${byMs / 1000} s`)
    node.aheadMs = Math.min(Math.max(node.aheadMs + byMs, -HOUR_MS), HOUR_MS)
    this.#hasBadClock ||= Math.abs(node.aheadMs) > 30_000
  }

  /** All is well again: wires, clocks, and everybody runs. */
  #mend(): void {
    const { world } = this
    this.#tell('everything is mended')
    for (const node of world.nodes) {
      if (Math.abs(node.aheadMs) > 30_000) node.aheadMs = 0
      if (node.isPaused) world.resume(node)
      if (node.tables === null) world.start(node)
    }
    world.heal()
    world.runFor(world.network.comeMs + HEAL_MS)
  }

  /** What was written in the future is taken when its time has come. */
  #waitForBadClock(): void {
    this.world.leap(HOUR_MS + 120_000)
    this.world.runFor(HEAL_MS + 1000)
  }

  #wrote(row: Row): void {
    if (row.table !== SPECS) return
    const best = this.#best.get(row.key)
    if (best === undefined || compareRows(row, best) > 0) this.#best.set(row.key, row)
  }

  /** Somebody lost something: what nobody else has by now may stay lost. */
  #findBest(): void {
    this.#best.clear()
    for (const node of this.world.nodes) {
      for (const { row } of node.disk.rows.values()) this.#wrote(row)
      for (const { row } of node.tables?.allRows(SPECS) ?? []) this.#wrote(row)
    }
  }

  #checkAll(): void {
    const [first, ...others] = this.world.nodes
    for (const table of TABLES) {
      const odd = others.find(node => node.tables!.digest(table) !== first!.tables!.digest(table))
      if (odd !== undefined) throw new Error(this.#difference(table, first!, odd))
    }
    this.#checkSpecs(first!)
    // Who learned of a new boot only now shows rows of the one before a little longer.
    this.world.runFor(EPOCH_GRACE_MS)
    for (const node of this.world.nodes) this.#checkEndpoints(node)
  }

  #difference(table: string, a: SimNode, b: SimNode): string {
    const show = (row: Row | undefined): string => row === undefined ? 'nothing'
      : `${row.value === null ? 'a tombstone' : 'a row'} of ${row.stamp.node}, epoch `
        + `${row.stamp.epoch}, ${row.stamp.ms}/${row.stamp.counter}`
    const [left, right] = [a, b].map(node =>
      new Map([...node.tables!.allRows(table)].map(({ row }) => [row.key, row])))
    const odd: string[] = []
    for (const key of new Set([...left!.keys(), ...right!.keys()])) {
      const [x, y] = [left!.get(key), right!.get(key)]
      if (x !== undefined && y !== undefined && compareRows(x, y) === 0) continue
      odd.push(`${key}: ${a.name} has ${show(x)}, ${b.name} has ${show(y)}`)
    }
    return `${table} differs in ${odd.length} rows: ${odd.slice(0, 3).join('; ')}`
  }

  #checkSpecs(node: SimNode): void {
    const rows = new Map([...node.tables!.allRows(SPECS)].map(({ row }) => [row.key, row]))
    for (const row of rows.values()) {
      const { counter, epoch, ms, node: writer } = row.stamp
      if (this.world.written.get(`${ms}/${counter}/${writer}/${epoch}`)?.key !== row.key) {
        throw new Error(`nobody ever wrote what stands in ${row.key}`)
      }
    }
    for (const [key, best] of this.#best) {
      const row = rows.get(key)
      // A tombstone may be gone again.
      if (row === undefined && best.value === null) continue
      if (row === undefined) throw new Error(`${key} was lost`)
      if (row.value !== null && compareRows(row, best) < 0) {
        throw new Error(`${key} went back${best.value === null ? ': it had been deleted' : ''}`)
      }
    }
  }

  #checkEndpoints(node: SimNode): void {
    for (const owner of this.world.nodes) {
      const shown = new Map([...node.tables!.rows(ENDPOINTS)]
        .filter(row => row.key.startsWith(`${owner.id}/`)).map(row => [row.key, row.value!]))
      for (const [key, value] of owner.endpoints) {
        const found = shown.get(key)
        if (found === undefined || Buffer.compare(found, value) !== 0) {
          throw new Error(`${node.name} does not show ${key} as ${owner.name} wants it`)
        }
        shown.delete(key)
      }
      for (const key of shown.keys()) {
        throw new Error(`${node.name} shows ${key}, which ${owner.name} does not want`)
      }
    }
  }

  /** Once all is equal nothing more is to be said but a digest a second. */
  #checkQuiet(): void {
    const { world } = this
    world.runFor(1500)
    const accepted = (): number =>
      world.nodes.reduce((sum, node) => sum + node.tables!.counters.accepted, 0)
    const before = accepted()
    let messages = 0
    world.onMessage = () => { messages += 1 }
    world.runFor(2000)
    if (accepted() !== before) throw new Error('rows still come after all was equal')
    const most = world.nodes.length * 3
    if (messages > most) throw new Error(`${messages} messages in 2 s of quiet, not ${most}`)
    for (const node of world.nodes) {
      const sizes = node.tables!.sizes()
      if (sizes.ownNews + sizes.relayedNews + sizes.bulk + sizes.quarantined > 0) {
        throw new Error(`${node.name} has not come to rest: ${JSON.stringify(sizes)}`)
      }
    }
  }
}
