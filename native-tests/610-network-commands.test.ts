// The commands of networks, as people know them from Docker Swarm. The rows are those of the
// checklist of behaviours: A for the cluster and its members, B for networks and addresses.
// May run beside another test.
import { untilEqual } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { ping } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

type Inspection = {
  Name: string
  Id: string
  Containers: Record<string, Record<string, string>>
  Options: Record<string, string>
  Peers: { Name: string; IP: string }[]
  Services: Record<string, { VIP: string; Tasks: Record<string, unknown>[] }>
  [field: string]: unknown
}

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['ping', 'tcpdump'] } })

async function inspect(node: string, ...words: string[]): Promise<Inspection> {
  const [shown] = JSON.parse(await lab.tapmesh(node, 'network', 'inspect', ...words)) as Inspection[]
  return shown!
}

lab.test('B1: network create -d overlay prints an id and is known on every node', async t => {
  const id = await lab.tapmesh('node1', 'network', 'create', '-d', 'overlay', 'mynet')
  t.match(id, /^[0-9a-z]{25}$/)
  await untilEqual(lab)
  for (const node of lab.nodes) {
    t.equal(await lab.tapmesh(node, 'network', 'inspect', '-f', '{{.Id}}', 'mynet'), id, node)
  }
})

lab.test('B2: network ls has Docker\'s columns, and its formats and filters', async t => {
  await lab.tapmesh('node2', 'network', 'create', '--driver', 'overlay', '--label', 'team=blue',
    'second')
  await untilEqual(lab)
  const [heading, ...rows] = (await lab.tapmesh('node3', 'network', 'ls')).split('\n')
  t.match(heading, /^NETWORK ID +NAME +DRIVER +SCOPE /)
  t.match(rows.find(row => row.includes(' mynet ')), /^[0-9a-z]{12} +mynet +overlay +swarm +10\./)
  t.equal(await lab.tapmesh('node3', 'network', 'ls', '--filter', 'label=team', '--format',
    '{{.Name}} {{.Driver}} {{.Scope}}'), 'second overlay swarm')
  const wrong = await lab.run('node3', 'tapmesh', 'network', 'ls', '--filter', 'colour=red')
  t.match(wrong, { code: 2, stdout: '' })
})

lab.test('B3: eth0 of a task has MTU 1450, lo 65536', async t => {
  for (const node of lab.nodes) await lab.bareTask(node, `bare-${node}`, 'mynet')
  await untilEqual(lab)
  const links = await lab.sh('node1', 'ip -n tm-bare-node1 -o link')
  t.match(links, / eth0: .* mtu 1450 /)
  t.match(links, / lo: .* mtu 65536 /)
})

lab.test('B5: eth0 is a TAP, and so stands without the @ifN of a veth', async t => {
  t.match(await lab.sh('node1', 'ip -n tm-bare-node1 -o link show eth0'),
    /^\d+: eth0: <[^>]*\bUP\b[^>]*LOWER_UP[^>]*> /)
  t.match(await lab.sh('node1', 'ip -n tm-bare-node1 -d -o link show eth0'), / tun type tap /)
})

lab.test('B4: the MAC of an address is 02:42 and its four octets', async t => {
  const { endpoints: [endpoint] } = await lab.task('node2', 'bare-node2')
  const octets = endpoint!.address.split('.').map(part => Number(part).toString(16).padStart(2, '0'))
  t.equal(endpoint!.mac, ['02', '42', ...octets].join(':'))
  t.match(await lab.sh('node2', 'ip -n tm-bare-node2 -4 -o address show eth0'),
    `inet ${endpoint!.address}/24 `)
})

lab.test('B8, B9: four pings to another node are eight packets of VXLAN', async t => {
  const { endpoints: [endpoint] } = await lab.task('node2', 'bare-node2')
  const watch = lab.start('node2', 'tcpdump', '--immediate-mode', '-Z', 'root', '-lnni', 'eth1',
    'udp', 'port', '4789')
  await until('tcpdump listens', () => watch.stderr.includes('listening on'))
  const { received, text } = await ping(lab, 'node1/bare-node1', endpoint!.address, '-c4', '-i0.2')
  t.equal(received, 4, text)
  t.match(text, / ttl=64 /)
  // The tasks' kernels also tell of their IPv6 groups, each when its device is new.
  const seen = (): number => watch.stdout.match(/ICMP echo re(quest|ply)/g)?.length ?? 0
  await until('eight packets were seen', () => seen() >= 8)
  await watch.stop()
  t.equal(seen(), 8, watch.stdout)
  t.notMatch(watch.stdout, /ARP/)
})

lab.test('B11: network inspect has the shape of Docker\'s', async t => {
  const task = await lab.task('node1', 'bare-node1')
  const shown = await inspect('node1', 'mynet')
  t.match(shown, {
    Name: 'mynet', Id: /^[0-9a-z]{25}$/, Created: /^\d{4}-\d\d-\d\dT/, Scope: 'swarm',
    Driver: 'overlay', EnableIPv6: false, Internal: false, Attachable: true, Ingress: false,
    IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: /\/24$/, Gateway: /\.1$/ }] },
    Options: { 'com.docker.network.driver.overlay.vxlanid_list': String(shown['Vni']) },
    Labels: {}, Mtu: 1450,
  })
  const { address, mac } = task.endpoints[0]!
  t.same(shown.Containers, { [task.id]: {
    Name: 'bare-node1', MacAddress: mac, IPv4Address: `${address}/24`, IPv6Address: '',
  } })
})

lab.test('A9: network inspect names the peers by host name and underlay address', async t => {
  const { Peers } = await inspect('node3', 'mynet')
  t.same(Peers.map(({ IP }) => IP).sort(), ['192.168.56.11', '192.168.56.12', '192.168.56.13'])
  t.same(Peers.map(({ Name }) => Name.replace(/-[0-9a-z]{12}$/, '')).sort(), [...lab.nodes])
  const format = '{{range .Peers}}{{.IP}} {{end}}'
  t.equal((await lab.tapmesh('node3', 'network', 'inspect', '-f', format, 'mynet')).split(' ').length,
    3)
})

lab.test('B11: network inspect -v has the tasks of all nodes', async t => {
  const { Services } = await inspect('node3', '-v', 'mynet')
  const tasks = Services['']?.Tasks ?? []
  t.same(tasks.map(task => task['Name']).sort(), lab.nodes.map(node => `bare-${node}`))
  t.match(tasks.find(task => task['Name'] === 'bare-node2'),
    { EndpointID: /^[0-9a-z]{25}\/\d+$/, Info: { 'Host IP': '192.168.56.12' } })
})

lab.test('network connect gives a task that runs an interface, disconnect takes it away', async t => {
  for (const node of ['node1', 'node2']) {
    t.equal(await lab.tapmesh(node, 'network', 'connect', 'second', `bare-${node}`), '')
  }
  await untilEqual(lab)
  const { endpoints } = await lab.task('node2', 'bare-node2')
  t.match(endpoints[1], { network: 'second', interface: 'eth2' })
  const { received, text } = await ping(lab, 'node1/bare-node1', endpoints[1]!.address, '-c2', '-W2')
  t.equal(received, 2, text)
  const twice = await lab.run('node1', 'tapmesh', 'network', 'connect', 'second', 'bare-node1')
  t.match(twice, { code: 1, stderr: /"bare-node1" is in network "second" already/ })

  await lab.daemon('node1', 'restart')
  await until('the task has both again', async () =>
    (await lab.task('node1', 'bare-node1')).endpoints.length === 2)

  await lab.tapmesh('node1', 'network', 'disconnect', 'mynet', 'bare-node1')
  t.same((await lab.task('node1', 'bare-node1')).endpoints.map(one => one.interface), ['eth2'])
  t.notMatch(await lab.sh('node1', 'ip -n tm-bare-node1 -o link'), / eth0: /)
  await untilEqual(lab)
  t.equal((await ping(lab, 'node1/bare-node1', endpoints[1]!.address, '-c2', '-W2')).received, 2)
  const again = await lab.run('node1', 'tapmesh', 'network', 'disconnect', 'mynet', 'bare-node1')
  t.match(again, { code: 1, stderr: /"bare-node1" is not in network "mynet"/ })

  await lab.tapmesh('node1', 'network', 'connect', 'mynet', 'bare-node1')
  t.same((await lab.task('node1', 'bare-node1')).endpoints.map(one => one.interface).sort(),
    ['eth0', 'eth2'])
})

lab.test('connect with an address that is taken leaves nothing behind', async t => {
  const { address } = (await lab.task('node2', 'bare-node2')).endpoints[0]!
  await lab.tapmesh('node1', 'network', 'disconnect', 'mynet', 'bare-node1')
  const refused = await lab.run('node1', 'tapmesh', 'network', 'connect', '--ip', address, 'mynet',
    'bare-node1')
  t.equal(refused.code, 1, refused.stderr)
  t.equal((await lab.task('node1', 'bare-node1')).endpoints.length, 1)
  t.notMatch(await lab.sh('node1', 'ip -n tm-bare-node1 -o link'), / eth0: /)
})

lab.test('a network with --attachable=false is not for tasks of run', async t => {
  await lab.tapmesh('node1', 'network', 'create', '--attachable=false', '--internal', 'closed')
  await untilEqual(lab)
  t.equal(await lab.tapmesh('node3', 'network', 'inspect', '-f', '{{.Attachable}} {{.Internal}}',
    'closed'), 'false true')
  for (const words of [['run', '-d', '--network', 'closed'],
    ['network', 'connect', 'closed', 'bare-node3']]) {
    const refused = await lab.run('node3', 'tapmesh', ...words)
    t.equal(refused.code, 1)
    t.match(refused.stderr, /network "closed" is not attachable: only tasks of services may join/)
  }
})

lab.test('rm of a network in use names who uses it; prune takes the others', async t => {
  const used = await lab.run('node1', 'tapmesh', 'network', 'rm', 'mynet')
  t.equal(used.code, 1)
  t.match(used.stderr, /"mynet" is used by bare-node[23] on node[23], bare-node[23] on node[23]; /)
  const kept = await lab.tapmesh('node1', 'network', 'prune', '-f', '--filter', 'until=1h')
  t.equal(kept, '')
  t.equal(await lab.tapmesh('node1', 'network', 'prune', '-f'), 'Deleted Networks:\nclosed')
  await until('it is gone everywhere', async () => {
    const lists = await Promise.all(lab.nodes.map(node =>
      lab.tapmesh(node, 'network', 'ls', '--format', '{{.Name}}', '-f', 'name=closed')))
    return lists.every(list => list === '')
  })
})
