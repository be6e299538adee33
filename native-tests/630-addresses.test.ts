// Addresses without a central store: nodes ask at once, halves of a split give each their own, a
// full subnet says so, and no network lies where a route of any node is.
// May run beside another test.
import { formatIpv4, parseCidr } from '../src/base/text.ts'
import type { NodeFact } from '../src/cluster/services/facts.ts'
import { allocatorOf, shareOf } from '../src/cluster/services/lease-share.ts'
import { cut, nodesOf, rowsOf, untilEqual, untilWhole } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { ping } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const TASKS = 30
const SPLIT_TASKS = 10
const REST_SECONDS = 2
const SETTLED_MS = 10_000

const lab = useLab({ nodes: 3, peers: 'cluster', needs: { tools: ['nft', 'curl', 'ip', 'ping'] } })

type Endpoint = { network: string; address: string; task: string }

/** Start so many tasks on a node, all at once. */
async function runMany(node: string, name: string, network: string, count: number): Promise<void> {
  await lab.sh(node, `pids=
    for n in $(seq ${count}); do
      curl -sS --fail-with-body --max-time 60 --unix-socket /run/tapmesh/tapmesh.sock \
        -d '{"name":"${name}-'$n'","networks":[{"network":"${network}"}]}' \
        http://tapmesh/v1/tasks & pids="$pids $!"
    done
    for pid in $pids; do wait $pid; done`)
}

/** Last octets of all endpoints in a network, in order, as one node sees them. */
async function hostsOf(node: string, network: string): Promise<number[]> {
  const { id } = (await lab.status(node)).networks.find(one => one.name === network)!
  return (await rowsOf(lab, node, 'endpoint')).filter(row => !row.deleted && !row.hidden)
    .map(row => row.value as Endpoint).filter(row => row.network === id)
    .map(row => Number(row.address.split('.')[3])).sort((a, b) => a - b)
}

type Clash = Readonly<{ address: string; other: string; early: string; late: string }>

/**
 * An address that both sides of a split without node3 may give: the early one because it has not
 * noticed yet, the late one because its share has it. And `other`, which its share has not.
 */
async function clashOf(networkName: string): Promise<Clash> {
  const { networks } = await lab.status('node1')
  const { id, subnet } = networks.find(({ name }) => name === networkName)!
  const nodes = (await nodesOf(lab, 'node1')).map((node): NodeFact =>
    ({ id: node.id, name: node.name, role: node.role, isAlive: true, availability: 'active',
      labels: {} }))
  const node3 = nodes.find(({ name }) => name === 'node3')!
  const isEarly3 = allocatorOf(id, nodes) === node3.id
  const lateOnes = nodes.filter(node => (node !== node3) === isEarly3)
  const share = shareOf(id, parseCidr(subnet), nodes.map(node => node.id),
    allocatorOf(id, lateOnes)!)
  const { last } = parseCidr(subnet)
  const of = (isShared: boolean): string => {
    let address = last - 1
    while (share(address) !== isShared) address -= 1
    return formatIpv4(address)
  }
  return { address: of(true), other: of(false), early: isEarly3 ? 'node3' : 'node1',
    late: isEarly3 ? 'node1' : 'node3' }
}

const distinct = (hosts: readonly number[]): boolean => new Set(hosts).size === hosts.length

lab.test('two nodes start tasks at once: all addresses differ and follow one another', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'many')
  await untilEqual(lab)
  await Promise.all(['node1', 'node2'].map(node => runMany(node, `m-${node}`, 'many', TASKS)))
  await untilEqual(lab)
  t.same(await hostsOf('node3', 'many'), Array.from({ length: 2 * TASKS }, (_, i) => i + 2))
  const requests = (await rowsOf(lab, 'node3', 'request')).filter(row => !row.deleted)
  t.equal(requests.length, 2 * TASKS)
})

lab.test('an address that is named is given once in the cluster', async t => {
  await lab.bareTask('node2', 'named', 'many,ip=10.0.1.200')
  await untilEqual(lab)
  const answer = await lab.run('node3', 'tapmesh', 'run', '-d', '--network', 'many,ip=10.0.1.200')
  t.equal(answer.code, 1)
  t.match(answer.stderr, /address 10\.0\.1\.200 is taken; choose another/)
  t.equal((await lab.status('node3')).endpoints.length, 0)
})

lab.test('a daemon that starts again has what it had', async t => {
  const before = await hostsOf('node3', 'many')
  await lab.daemon('node2', 'restart')
  await untilWhole(lab)
  await untilEqual(lab)
  await until('all requests are there again', async () => (await rowsOf(lab, 'node3', 'request'))
    .filter(row => !row.deleted && !row.hidden).length === 2 * TASKS + 1)
  t.same(await hostsOf('node3', 'many'), before)
})

let clash: Clash

lab.test('both sides of a split give addresses, and none twice', async t => {
  await lab.tapmesh('node1', 'network', 'create', 'split')
  await untilEqual(lab)
  clash = await clashOf('split')
  await cut(lab, 'node3', true)
  await lab.bareTask(clash.early, 'elder', `split,ip=${clash.address}`)
  await until('both sides see it', async () => {
    const seen = await Promise.all(['node1', 'node3'].map(node => nodesOf(lab, node)))
    return seen.every(nodes => nodes.some(node => node.status === 'Down'))
  }, 60_000)
  const sides = ['node1', 'node3']
  await Promise.all(sides.map(node => runMany(node, `s-${node}`, 'split', SPLIT_TASKS)))
  const halves = await Promise.all(sides.map(node => hostsOf(node, 'split')))
  t.equal(halves.flat().length, 2 * SPLIT_TASKS + 1)
  t.ok(distinct(halves.flat()), JSON.stringify(halves))
  const answer = await lab.run(clash.late, 'tapmesh', 'run', '-d', '--network',
    `split,ip=${clash.other}`)
  t.equal(answer.code, 1)
  t.match(answer.stderr, /may not be given while a manager is missing/)
  // Between the cut and its discovery the other side has given this one.
  await lab.runTask(clash.late, 'younger', `split,ip=${clash.address}`, 'sleep', '10000')
  await cut(lab, 'node3', false)
  await untilWhole(lab, lab.nodes, 60_000)
  await untilEqual(lab)
  const after = await hostsOf('node2', 'split')
  t.ok(distinct(after), JSON.stringify(after))
  t.equal(after.length, 2 * SPLIT_TASKS + 2)
  t.same(after.filter(host => halves.flat().includes(host)), halves.flat().sort((a, b) => a - b),
    'nobody else has moved')
})

lab.test('after a split the younger of two with one address moves, while its task runs', async t => {
  const { address, early, late } = clash
  const moved = await until('it has moved', async () => {
    const task = await lab.task(late, 'younger')
    return task.endpoints[0]!.address !== address && task
  })
  t.equal((await lab.task(early, 'elder')).endpoints[0]!.address, address)
  t.equal(moved.state, 'running')
  const [{ address: next, mac }] = moved.endpoints as [typeof moved.endpoints[number]]
  const device = await until('its device has the new address', async () => {
    const text = await lab.out(`${late}/younger`, 'ip', '-o', 'address', 'show', 'eth0')
    return text.includes(` ${next}/`) && text
  })
  t.notMatch(device, ` ${address}/`)
  t.match(await lab.out(`${late}/younger`, 'ip', '-o', 'link', 'show', 'eth0'), mac)
  const { received, text } = await ping(lab, `${early}/elder`, next, '-c1', '-W5')
  t.equal(received, 1, text)
  t.match(await lab.log(late), /another holder had this address before; the task has a new one/)
})

lab.test('a full subnet says so, and has room when an address has rested', async t => {
  for (const node of lab.nodes) {
    await lab.sh(node,
      `printf 'addresses: {restSeconds: ${REST_SECONDS}}\\n' >>/etc/tapmesh/tapmesh.yaml`)
    await lab.daemon(node, 'restart')
  }
  await untilWhole(lab, lab.nodes, 60_000)
  await lab.tapmesh('node1', 'network', 'create', '--subnet', '10.77.0.0/29', 'small')
  await untilEqual(lab)
  await runMany('node2', 'full', 'small', 5)
  const late = ['tapmesh', 'run', '-d', '--name', 'late', '--network', 'small']
  const answer = await lab.run('node3', ...late)
  t.equal(answer.code, 1)
  t.match(answer.stderr, /no address of 10\.77\.0\.0\/29 is free: of 5, 5 are used and 0 rest/)
  await lab.tapmesh('node2', 'rm', '-f', 'full-3')
  await until('there is room again', async () => (await lab.run('node3', ...late)).code === 0,
    SETTLED_MS + REST_SECONDS * 1000)
  t.equal((await hostsOf('node3', 'small')).length, 5)
})

lab.test('no network lies where a route of another node is, and that node is named', async t => {
  await lab.sh('node2', 'ip route add blackhole 10.0.4.0/24')
  await lab.daemon('node2', 'restart') // it looks at once, and else every ten seconds
  await untilWhole(lab, lab.nodes, 60_000)
  await until('node1 has heard of the route', async () =>
    JSON.stringify(await rowsOf(lab, 'node1', 'subnets')).includes('10.0.4.0/24'))
  const answer = await lab.run('node1', 'tapmesh', 'network', 'create', '--subnet', '10.0.4.0/25',
    'there')
  t.equal(answer.code, 1)
  t.match(answer.stderr, /subnet 10\.0\.4\.0\/25 overlaps route 10\.0\.4\.0\/24.* on node2; choose/)
  await lab.tapmesh('node1', 'network', 'create', 'third')
  const { networks } = await lab.status('node1')
  t.equal(networks.find(one => one.name === 'third')!.subnet, '10.0.5.0/24')
})
