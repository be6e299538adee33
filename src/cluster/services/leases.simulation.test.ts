// Addresses under everything that a cluster goes through: splits, managers that stop in the middle,
// rows that come late. Whatever happened, in the end each holder has one address, and no two one.
import test from 'ava'
import { LeaseWorld, type WorldOptions } from './lease-history.test-kit.ts'

/** TAPMESH_SEEDS makes it more, TAPMESH_SEED one of them. */
const SEEDS = Number(process.env['TAPMESH_SEEDS'] ?? 2000)
const ONE = process.env['TAPMESH_SEED']
const STEPS = 12

const options = (seed: number, other: Partial<WorldOptions> = {}): WorldOptions =>
  ({ seed, managers: 3, workers: 1, subnet: '10.0.1.0/24', restMs: 60_000, ...other })

type Asked = { node: LeaseWorld['nodes'][number]; id: string }

function duplicatesIn(world: LeaseWorld): string[] {
  const seen = new Map<string, string>()
  return [...world.heldBy(world.node(0))].flatMap(([key, address]) => {
    const other = seen.get(address)
    seen.set(address, key)
    return other === undefined ? [] : [`${address} of ${other} and ${key}`]
  })
}

/** What went wrong with this seed; null when nothing did. */
function faultOf(seed: number): string | null {
  const world = new LeaseWorld(options(seed))
  const asked: Asked[] = []
  for (let step = 0; step < STEPS; step += 1) {
    change(world, asked)
    world.run(world.pick(3000))
  }
  world.settle()
  const held = [...world.nodes.map(node => world.heldBy(node))]
  const texts = new Set(held.map(map => JSON.stringify([...map].sort())))
  if (texts.size > 1) return 'the nodes see different leases'
  const duplicates = duplicatesIn(world)
  if (duplicates.length > 0) return `given twice: ${duplicates.join(', ')}`
  const without = asked.filter(({ id, node }) => !held[0]!.has(`net/ask/${node.id}/${id}`))
  if (without.length > 0) return `${without.length} requests have no address`
  const slots = [...world.node(0).rows.values()].filter(({ key, value }) =>
    key.startsWith('service/') && value !== null)
    .reduce((sum, { value }) => sum + 1 + value!.replicas!, 0)
  const extra = held[0]!.size - asked.length - slots
  return extra === 0 ? null : `${extra} leases too many`
}

function change(world: LeaseWorld, asked: Asked[]): void {
  const node = world.node(world.pick(world.nodes.length))
  const manager = world.node(world.pick(3))
  switch (world.pick(7)) {
    case 0:
      for (const one of world.nodes) one.side = world.pick(2)
      return
    case 1:
      for (const one of world.nodes) one.side = 0
      return
    case 2:
      manager.isRunning = world.nodes.filter(one => one.isRunning).length < 3
      return
    case 3: return world.service(manager, `s${world.pick(3)}`, world.pick(6))
    case 4: return world.service(manager, `s${world.pick(3)}`, null)
    case 5: {
      const [gone] = asked.splice(world.pick(Math.max(1, asked.length)), 1)
      return gone === undefined ? undefined : world.end(gone.node, gone.id)
    }
    default:
      for (let n = world.pick(8); n >= 0; n -= 1) asked.push({ node, id: world.ask(node) })
  }
}

test('whatever happens, in the end every holder has an address of its own', t => {
  const seeds = ONE === undefined ? Array.from({ length: SEEDS }, (_, i) => i) : [Number(ONE)]
  for (const seed of seeds) {
    const fault = faultOf(seed)
    if (fault !== null) return t.fail(`TAPMESH_SEED=${seed}: ${fault}`)
  }
  t.pass()
})

test('two halves of a split give addresses, and nobody has to move afterwards', t => {
  for (let seed = 0; seed < 200; seed += 1) {
    const world = new LeaseWorld(options(seed, { managers: 2 + seed % 3 }))
    for (let n = 0; n < 10; n += 1) world.ask(world.node(n % 3))
    world.run(2000)
    for (const [n, node] of world.nodes.entries()) node.side = n % 2
    // Some of it before they see that they are two.
    for (let n = 0; n < 40; n += 1) {
      world.ask(world.node(n % 2))
      world.run(200)
    }
    world.settle()
    t.deepEqual([duplicatesIn(world), world.moves], [[], []], `seed ${seed}`)
    t.is(world.heldBy(world.node(0)).size, 50, `seed ${seed}`)
  }
})

test('while all is well addresses are given in order, and rest before they come again', t => {
  const restMs = 20_000
  const world = new LeaseWorld(options(1, { restMs, subnet: '10.0.1.0/27', delayMaxMs: 0 }))
  const asked: Asked[] = []
  const freedMs = new Map<string, number>()
  for (let n = 0; n < 400; n += 1) {
    const node = world.node(world.pick(4))
    if (asked.length > 6 || (asked.length > 0 && world.pick(2) === 0)) {
      const gone = asked.shift()!
      freedMs.set(world.heldBy(gone.node).get(`net/ask/${gone.node.id}/${gone.id}`)!, world.nowMs)
      world.end(gone.node, gone.id)
    } else asked.push({ node, id: world.ask(node) })
    const before = world.given.length
    world.run(2000)
    for (const { address, atMs } of world.given.slice(before)) {
      t.true(atMs - (freedMs.get(address) ?? 0) >= restMs, `${address} after ${n}`)
    }
  }
  const hosts = world.given.map(({ address }) => Number(address.split('.')[3]))
  for (const [i, host] of hosts.entries()) {
    if (i > 0) t.is(host, hosts[i - 1]! === 30 ? 2 : hosts[i - 1]! + 1)
  }
  t.true(hosts.length > 150)
})

test('a thousand services come and go, and nothing is left', t => {
  const world = new LeaseWorld(options(1, { restMs: 1000, workers: 0, delayMaxMs: 0 }))
  for (let n = 0; n < 1000; n += 1) {
    world.service(world.node(n % 3), `s${n}`, 2)
    world.run(400)
    t.true(world.heldBy(world.node(0)).has(`net/slot/s${n}/2`), `cycle ${n}`)
    world.service(world.node((n + 1) % 3), `s${n}`, null)
    world.run(400)
  }
  world.run(10_000)
  t.is(world.heldBy(world.node(0)).size, 0)
  t.is(world.node(0).leases.length, 1, 'the one that says where the order goes on')
})

test('a new allocator goes on where the old one was', t => {
  const world = new LeaseWorld(options(3, { workers: 0, delayMaxMs: 0 }))
  for (let n = 0; n < 5; n += 1) world.ask(world.node(0))
  world.run(1000)
  const allocator = world.nodes.find(node => node.id === world.given[0]!.by)!
  const other = world.nodes.find(node => node !== allocator)!
  world.end(world.node(0), 'r00004') // the last one given: it must not be given again
  world.run(2000)
  allocator.isRunning = false
  world.run(7000)
  world.ask(other)
  world.run(1000)
  const inSplit = world.given.at(-1)!
  t.not(inSplit.by, allocator.id)
  t.true(Number(inSplit.address.split('.')[3]) > 128, 'away from where the other side may be')
  world.settle()
  world.ask(other)
  world.run(1000)
  const next = world.given.at(-1)!
  t.is(Number(next.address.split('.')[3]), Number(inSplit.address.split('.')[3]) + 1)
})
