// The keys of the mesh: nobody reads what the nodes tell each other, and keys are changed without
// losing a node.
// May run beside another test; takes long.
import { clusterOf, untilWhole } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { until } from './lib/wait.ts'

/** Rotations have to be 30 s apart. */
const ROTATED_MS = 45_000

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['curl', 'tcpdump'] } })

lab.test('gossip is sealed, and a key rotation loses no node', async t => {
  const before = (await clusterOf(lab, 'node1'))!.keys!.generation
  // Too soon after the keys were made it is refused: every node must have them first.
  await until('the keys are rotated', async () =>
    (await lab.run('node1', 'tapmesh', 'cluster', 'rotate-keys')).code === 0, ROTATED_MS)
  for (const node of lab.nodes) {
    await until(`${node} has the new keys`, async () =>
      (await clusterOf(lab, node))!.keys!.generation === before + 1)
  }
  await untilWhole(lab)
  const seen = await lab.sh('node2', 'timeout 3 tcpdump -lnni eth1 -c 8 -A udp port 7946 || true')
  t.notMatch(seen, /node1|node3|Incarnation/, 'no word of it can be read')
})
