// How soon after a change on one node the others answer questions for a name by it.
import { join } from 'node:path'
import { untilEqual } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { until, within } from './lib/wait.ts'

/** From a change on one node until another node answers by it. */
const CHANGE_MS = 50
const CHANGES = 9

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['python3'] } })

lab.test('a network, and a task on each node', async () => {
  await lab.tapmesh('node1', 'network', 'create', 'demo')
  await untilEqual(lab)
  for (const node of lab.nodes) await lab.runTask(node, 'util', 'demo', 'sleep', '10000')
  await untilEqual(lab)
})

lab.test('a change is answered by on every node within milliseconds', async t => {
  const spreads: number[] = []
  for (let n = 0; n < CHANGES; n++) {
    // Each node asks every 2 ms; what counts is the time from the first answer to the last one.
    const asking = lab.nodes.map(node => lab.start(`${node}/util`, 'python3',
      join(import.meta.dirname, 'lib', 'await-name.py'), `new${n}`))
    await until('all ask', () => asking.every(one => one.stdout.includes('asking')))
    await lab.bareTask('node1', `new${n}`, 'demo')
    await Promise.all(asking.map(one => within('an answer', one.ended)))
    const atMs = asking.map(one => Number(one.stdout.split('\n')[1]))
    spreads.push(Math.max(...atMs) - Math.min(...atMs))
  }
  spreads.sort((a, b) => a - b)
  t.comment(`from the first node to the last: ${spreads.join(', ')} ms`)
  t.ok(spreads[CHANGES >> 1]! < CHANGE_MS, `${spreads.join(', ')} ms`)
})
