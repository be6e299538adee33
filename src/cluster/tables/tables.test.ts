import test from 'ava'
import { makeRandom } from '../../base/prng.ts'
import type { Change, TablesEffect, TablesOptions } from './events.ts'
import { ENDPOINTS, SPECS, TABLE_SPECS, WALL_START_MS, World } from './simulation.test-kit.ts'
import { Tables } from './tables.ts'

const octets = (text: string): Uint8Array => new TextEncoder().encode(text)

function alone(options: Partial<TablesOptions> = {}): Tables {
  return new Tables({
    name: 'node0', node: 'id0000', epoch: 7, tables: TABLE_SPECS, random: makeRandom(1),
    wallMs: () => WALL_START_MS, ...options,
  }, 0)
}

function changesOf(effects: readonly TablesEffect[]): Change[] {
  return effects.flatMap(effect => effect.type === 'changed' ? effect.changes : [])
}

test('a row that is written is there, told, and persisted before anything else', t => {
  const tables = alone()
  tables.step(0, { type: 'start' })
  const peer = { name: 'node1', node: 'id0001', epoch: 3, state: 'alive' } as const
  tables.step(1, { type: 'peers', peers: [peer] })
  const writes = [{ table: SPECS, key: 'a', value: octets('1') }]
  const effects = tables.step(2, { type: 'write', writes })
  t.deepEqual(effects.map(effect => effect.type), ['persist', 'changed', 'send'])
  t.deepEqual(tables.get(SPECS, 'a')?.value, octets('1'))
  const [change] = changesOf(effects)
  t.like(change, { table: SPECS, key: 'a', old: null, wasShown: false, isShown: true })
})

test('what cannot be written changes nothing', t => {
  const tables = alone()
  tables.step(0, { type: 'start' })
  const good = { table: SPECS, key: 'a', value: octets('1') }
  const bad = [
    { write: { ...good, table: 'nothing' }, code: 'TM_USAGE' },
    { write: { ...good, key: '' }, code: 'TM_USAGE' },
    { write: { ...good, key: 'a\n' }, code: 'TM_USAGE' },
    { write: { ...good, key: 'ä'.repeat(128) }, code: 'TM_USAGE' },
    { write: { ...good, table: 'epochs', key: 'id0000/' }, code: 'TM_USAGE' },
    { write: { ...good, table: ENDPOINTS, key: 'id0001/x' }, code: 'TM_USAGE' },
    { write: { ...good, value: new Uint8Array(4097) }, code: 'TM_LIMIT' },
  ]
  for (const { write, code } of bad) {
    t.throws(() => tables.step(1, { type: 'write', writes: [good, write] }), { code })
  }
  t.is(tables.get(SPECS, 'a'), null)
})

test('five nodes over a lossy network end up with the same', t => {
  const world = new World(1, 5)
  world.network = { ...world.network, lossPerMille: 100 }
  for (const node of world.nodes) world.start(node)
  world.runFor(2000)
  for (const node of world.nodes) {
    world.step(node, {
      type: 'write', writes: [
        { table: SPECS, key: 'shared', value: octets(node.name) },
        { table: ENDPOINTS, key: `${node.id}/1`, value: octets('endpoint') },
      ],
    })
  }
  world.runFor(2000)
  for (const table of [SPECS, ENDPOINTS, 'epochs']) {
    const digests = new Set(world.nodes.map(node => node.tables!.digest(table)))
    t.is(digests.size, 1, table)
  }
  t.is([...world.nodes[0]!.tables!.rows(ENDPOINTS)].length, 5)
  t.true(world.nodes[0]!.tables!.peers().every(peer => peer.isEqual !== false))
})
