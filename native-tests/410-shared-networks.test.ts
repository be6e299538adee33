// Networks and endpoints that fill every node's tables by themselves.
import { untilEqual } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { curl, ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

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

lab.test('from a change to the first packet by it, on the other nodes', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'quick')
  await lab.bareTask('node2', 'there', 'quick,ip=10.0.1.50')
  await untilEqual(lab)
  await lab.bareTask('node1', 'here', 'quick,ip=10.0.1.60')
  await untilReached(lab, 'node1/here', '10.0.1.50')
  t.equal((await ping(lab, 'node2/there', '10.0.1.60', '-c3', '-i0.2', '-W2')).received, 3)
})
