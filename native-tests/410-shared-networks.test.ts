// Networks and endpoints that fill every node's tables by themselves.
import { rowsOf, untilEqual } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { curl, ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

/** Rounds in which all nodes start a task at once. */
const ROUNDS = 3
/** A conflict is settled within a second, and the commands take a while. */
const SETTLED_MS = 5000
const CHANGES = 20
const MEDIAN_MS = 20

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['ping', 'curl', 'tcpdump'] } })

lab.test('a network that one node creates is known on all, alike', async t => {
  const id = await lab.tapmesh('node2', 'network', 'create', 'mynet')
  await untilEqual(lab)
  for (const node of lab.nodes) {
    const [network] = (await lab.status(node)).networks
    t.match(network, { id, name: 'mynet', vni: 4097, subnet: '10.0.1.0/24', scope: 'swarm' })
  }
  const twice = await lab.run('node1', 'tapmesh', 'network', 'create', 'mynet')
  t.equal(twice.code, 1)
  t.match(twice.stderr, /there is a network "mynet" already/)
})

lab.test('tasks get addresses of their own, and reach each other without a word', async t => {
  for (const node of lab.nodes) {
    await lab.runTask(node, `web-${node}`, 'mynet', 'tapmesh', 'whoami', '--port', '80')
    await untilEqual(lab)
  }
  const addresses = new Map<string, string>()
  for (const node of lab.nodes) {
    addresses.set(node, (await lab.task(node, `web-${node}`)).endpoints[0]!.address)
  }
  t.equal(new Set(addresses.values()).size, 3, [...addresses.values()].join())
  for (const from of lab.nodes) {
    for (const to of lab.nodes.filter(node => node !== from)) {
      const { received, text } = await ping(lab, `${from}/web-${from}`, addresses.get(to)!, '-c2',
        '-i0.2', '-W2')
      t.equal(received, 2, `${from} to ${to}: ${text}`)
      t.match(await curl(lab, `${from}/web-${from}`, `http://${addresses.get(to)}/`),
        `IP: ${addresses.get(to)}\n`)
    }
  }
  for (const node of lab.nodes) t.same((await lab.status(node)).vteps, [], 'no VTEP by hand')
})

lab.test('who has an address is not asked on the wire', async t => {
  const { address } = (await lab.task('node2', 'web-node2')).endpoints[0]!
  await lab.sh('node1', 'ip -n tm-web-node1 neigh flush dev eth0')
  const watch = lab.start('node1', 'tcpdump', '--immediate-mode', '-Z', 'root', '-lnni', 'eth1', 'udp', 'port',
    '4789')
  await until('tcpdump listens', () => watch.stderr.includes('listening on'))
  t.equal((await ping(lab, 'node1/web-node1', address, '-c1', '-W2')).received, 1)
  await until('the answer was seen', () => watch.stdout.includes('ICMP echo reply'))
  await watch.stop()
  t.notMatch(watch.stdout, /ARP/)
})

lab.test('a network that is used cannot be removed, and says who uses it where', async t => {
  const answer = await lab.run('node1', 'tapmesh', 'network', 'rm', 'mynet')
  t.equal(answer.code, 1)
  t.match(answer.stderr, /"mynet" is used by web-node1, web-node[23] on node[23], web-node/)
})

lab.test('a task that goes is gone everywhere, and so is the network after the last', async () => {
  for (const node of lab.nodes) await lab.tapmesh(node, 'rm', '-f', `web-${node}`)
  await untilEqual(lab)
  await lab.tapmesh('node3', 'network', 'rm', 'mynet')
  for (const node of lab.nodes) {
    await until(`${node} has no network`, async () => (await lab.status(node)).networks.length === 0)
  }
})

lab.test('two nodes give one address at the same moment: one of them gives another', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'quick')
  await untilEqual(lab)
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(lab.nodes.map(node => lab.bareTask(node, `r${round}-${node}`, 'quick')))
    await until('all addresses differ', async () => {
      const rows = (await rowsOf(lab, 'node1', 'endpoint')).filter(row => !row.deleted)
      const addresses = rows.map(row => (row.value as { address: string }).address)
      return rows.length === (round + 1) * lab.nodes.length && new Set(addresses).size === rows.length
    }, SETTLED_MS)
  }
  await untilEqual(lab)
  for (const node of lab.nodes) {
    const { endpoints } = await lab.task(node, `r0-${node}`)
    const shown = await lab.out(`${node}/r0-${node}`, 'ip', '-4', '-o', 'address', 'show', 'eth0')
    t.match(shown, `inet ${endpoints[0]!.address}/24 `, 'the device has it')
    t.equal(shown.trim().split('\n').length, 1, 'and no other')
  }
  const { address } = (await lab.task('node3', 'r1-node3')).endpoints[0]!
  await untilReached(lab, 'node1/r0-node1', address)
})

lab.test('a change is in the packet path of the other nodes within milliseconds', async t => {
  const watches = ['node1', 'node3'].map(node =>
    lab.start(node, 'tapmesh', 'cluster', 'watch', '--json'))
  let first = 0
  await until('both watch', async () => {
    await lab.bareTask('node2', `first${first++}`, 'quick')
    return watches.every(watch => watch.stdout.includes('endpoint/'))
  })
  const last = `c${CHANGES - 1}`
  for (let n = 0; n < CHANGES; n++) await lab.bareTask('node2', `c${n}`, 'quick')
  const { id } = await lab.task('node2', last)
  await until('both have seen the last', async () => (await Promise.all(['node1', 'node3']
    .map(node => rowsOf(lab, node, 'endpoint')))).every(rows =>
    rows.some(row => (row.value as { taskId?: string } | null)?.taskId === id)))
  await until('the watches have said it', () => watches.every(watch =>
    watch.stdout.split('\n').filter(line => line.includes('"set","name":"endpoint/')).length
      > CHANGES))
  const tookMs = watches.flatMap(watch => watch.stdout.trim().split('\n')
    .map(line => JSON.parse(line) as { at: string; change: string; name: string
      detail: { writtenAt: string } | null })
    .filter(({ change, name }) => change === 'set' && name.startsWith('endpoint/'))
    .map(({ at, detail }) => Date.parse(at) - Date.parse(detail!.writtenAt))).sort((a, b) => a - b)
  const median = tookMs[tookMs.length >> 1]!
  t.comment(`${tookMs.length} changes: median ${median} ms, worst ${tookMs.at(-1)} ms`)
  t.ok(median < MEDIAN_MS, `median ${median} ms`)
  await Promise.all(watches.map(watch => watch.stop()))
})
