// The tree of hashes: its sums are those of its rows, whatever was put in, replaced and taken out.
import test from 'ava'
import fc from 'fast-check'
import { BRANCHES, DEPTH_MAX, type Entry, KeyTree, lastOf, makeEntry, partOf } from './key-tree.ts'
import { NO_OCTETS, type Row } from './rows.ts'

function row(key: string, ms: number): Row {
  return {
    table: 'specs', key, value: Uint8Array.of(ms & 255), proof: NO_OCTETS,
    stamp: { ms, counter: 0, node: 'a', epoch: 1 },
  }
}

function filled(keys: readonly string[], ms = 1): KeyTree {
  const tree = new KeyTree()
  for (const key of keys) tree.add(makeEntry(row(key, ms), 0))
  return tree
}

/** The sums of a stretch, from its rows one by one. */
function counted(tree: KeyTree, depth: number, first: number) {
  const sums = { high: new Int32Array(64), low: new Int32Array(64), counts: new Uint32Array(64) }
  for (const entry of tree.entries(first, lastOf(depth, first))) {
    if (entry.isFaded) continue
    const i = Math.floor((entry.place - first) / (partOf(depth, 0, 1)))
    sums.high[i]! ^= entry.hashHigh
    sums.low[i]! ^= entry.hashLow
    sums.counts[i]! += 1
  }
  return sums
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `key ${i}`)

test('the order in which rows come makes no difference', t => {
  const a = filled(names(5000))
  const b = filled(names(5000).reverse())
  t.deepEqual([a.high, a.low, a.size], [b.high, b.low, b.size])
  t.deepEqual(a.sums(0, 0), b.sums(0, 0))
  t.notDeepEqual([a.high, a.low], [filled(names(4999)).high, filled(names(4999)).low])
})

test('every version of a row has another hash', t => {
  const hashes = new Set(Array.from({ length: 20_000 }, (_, i) => {
    const { hashHigh, hashLow } = makeEntry(row('k', i), 0)
    return `${hashHigh} ${hashLow}`
  }))
  t.is(hashes.size, 20_000)
  const proven = { ...row('k', 1), proof: Uint8Array.of(1) }
  t.not(makeEntry(proven, 0).hashLow, makeEntry(row('k', 1), 0).hashLow)
})

test('keys are spread evenly over the branches', t => {
  const { counts } = filled(names(64_000)).sums(0, 0)
  t.true(counts.every(count => count > 800 && count < 1200), counts.join(' '))
})

test('a stretch is the sum of its parts at every depth', t => {
  const tree = filled(names(20_000))
  for (let i = 0; i < BRANCHES; i += 7) {
    let first = 0
    for (let depth = 0; depth < DEPTH_MAX; depth += 1) {
      t.deepEqual(tree.sums(depth, first), counted(tree, depth, first), `depth ${depth}, ${i}`)
      first = partOf(depth, first, i)
    }
  }
})

type Step = { kind: 'put' | 'delete' | 'fade' | 'back'; key: number; ms: number }

test('whatever happens to rows, the sums stay right', t => {
  const step = fc.record<Step>({
    kind: fc.constantFrom('put', 'put', 'put', 'delete', 'fade', 'back'),
    key: fc.integer({ min: 0, max: 150 }), ms: fc.integer({ min: 0, max: 1000 }),
  })
  fc.assert(fc.property(fc.array(step, { maxLength: 400, size: 'max' }), steps => {
    const tree = new KeyTree()
    const model = new Map<string, Entry>()
    for (const { key, kind, ms } of steps) play(tree, model, kind, `key ${key}`, ms)
    let [high, low, size] = [0, 0, 0]
    for (const { hashHigh, hashLow, isFaded } of model.values()) {
      if (isFaded) continue
      high ^= hashHigh
      low ^= hashLow
      size += 1
    }
    t.deepEqual([tree.high, tree.low, tree.size], [high, low, size])
    t.deepEqual(tree.sums(0, 0), counted(tree, 0, 0))
    t.is([...tree.entries()].length, model.size)
    for (const [key, entry] of model) t.is(tree.get(key), entry)
  }), { numRuns: 200 })
})

function play(
  tree: KeyTree, model: Map<string, Entry>, kind: Step['kind'], key: string, ms: number,
): void {
  const entry = model.get(key)
  if (kind === 'put') {
    if (entry === undefined) {
      const fresh = makeEntry(row(key, ms), 0)
      model.set(key, fresh)
      tree.add(fresh)
    } else tree.replace(entry, row(key, ms), 0)
  } else if (entry !== undefined) {
    if (kind === 'delete') {
      tree.delete(entry)
      model.delete(key)
    } else tree.setFaded(entry, kind === 'fade')
  }
}
