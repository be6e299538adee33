// Names for tasks, asked with the tools that people have: dig, drill, busybox, and two C libraries.
// Rows D1 to D12 are observations of Docker Swarm; those about pinging addresses stand elsewhere.
// May run beside another test; takes long.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { exec } from '../src/base/exec.ts'
import { untilEqual } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { OUTSIDE_ADDRESS, OUTSIDE_NAME } from './lib/name-server.ts'
import type { Running } from './lib/running.ts'
import { until } from './lib/wait.ts'

const INET = '198.51.100.8'
/** A name is answered from memory; what is measured is mostly the machine. */
const QUICK_MS = 5
/** musl asks again after so long, when one of the two answers has not come. */
const MUSL_ASKS_AGAIN_MS = 2500
const TRIES = 20
const FILE_MAX_MS = 300_000
const TASK_DIGITS = '[0-9a-z]{25}'

const lab = useLab({ nodes: 3, peers: 'cluster', needs: {
  tools: ['dig', 'drill', 'busybox', 'getent', 'python3', 'tcpdump'],
} })
let outside: Running
t.setTimeout(FILE_MAX_MS)

/** Run a command as a process of the task would: with its resolv.conf. */
const inTask = (node: string, task: string, ...command: string[]) =>
  lab.run(node, 'tapmesh', 'exec', task, '--', ...command)
const outOf = async (node: string, task: string, ...command: string[]) =>
  (await inTask(node, task, ...command)).stdout.trim()
/** The answer's data, in order of the alphabet. */
const dig = async (node: string, ...words: string[]) =>
  (await outOf(node, 'util', 'dig', '+short', ...words)).split('\n').filter(Boolean).sort()
const digWhole = (node: string, ...words: string[]) => outOf(node, 'util', 'dig', ...words)
const vipOf = async (name: string, node = 'node1') => (await dig(node, name))[0]

async function untilTasks(name: string, count: number): Promise<string[]> {
  return until(`${name} has ${count} tasks on all nodes`, async () => {
    const seen = await Promise.all(lab.nodes.map(node => dig(node, `tasks.${name}`)))
    return seen.every(one => one.length === count) ? seen[0]! : null
  }, 60_000)
}

lab.test('a lab with a network, a task on each node, and a name server outside', async t => {
  outside = lab.start('inet', process.execPath,
    join(import.meta.dirname, 'lib', 'name-server.ts'), INET)
  await until('the name server outside is ready', () => outside.stdout.includes('ready'))
  await lab.tapmesh('node1', 'network', 'create', 'demo')
  await untilEqual(lab)
  for (const node of lab.nodes) await lab.runTask(node, 'util', 'demo', 'sleep', '10000')
  await lab.runTask('node2', 'db', 'demo', 'sleep', '10000')
  await untilEqual(lab)
  t.equal((await lab.api<{ dns: { servers: number; upstreams: string[] } }>('node2', 'status'))
    .dns.servers, 2)
})

lab.test('a task of run has a name on every node, in capitals and with its network', async t => {
  const { address } = (await lab.task('node2', 'db')).endpoints[0]!
  for (const node of lab.nodes) {
    t.same(await dig(node, 'db'), [address])
    t.same(await dig(node, 'DB.Demo.'), [address])
    t.same(await dig(node, '+tcp', 'db.demo'), [address])
  }
  const { hostname } = await lab.task('node2', 'db')
  t.same(await dig('node3', hostname), [address])
  t.same(await dig('node3', '-x', address), ['db.demo.'])
  t.match(await outOf('node3', 'util', 'cat', '/etc/resolv.conf'),
    /^nameserver 127\.0\.0\.11$\n.*^options ndots:0/ms)
})

lab.test('D1: drill shows the VIP of a service, and not the address of its task', async t => {
  await lab.tapmesh('node1', 'service', 'create', '--name', 'go-demo-db', '--network', 'demo',
    '--', 'sleep', '10000')
  const [address] = await untilTasks('go-demo-db', 1)
  const drill = await outOf('node2', 'util', 'drill', 'go-demo-db')
  const vip = /^go-demo-db\.\t600\tIN\tA\t([\d.]+)$/m.exec(drill)?.[1]
  t.ok(vip, drill)
  t.not(vip, address)
  for (const node of lab.nodes) t.equal(await vipOf('go-demo-db', node), vip)
})

lab.test('D5: tasks.NAME is the address of the task, from any node', async t => {
  const [address] = await untilTasks('go-demo-db', 1)
  for (const node of lab.nodes) {
    t.same(await dig(node, 'tasks.go-demo-db'), [address])
    const ping = await inTask(node, 'util', 'ping', '-c1', '-W5', 'tasks.go-demo-db')
    t.match(ping.stdout, new RegExp(`^64 bytes from .*\\(${address}\\)`, 'm'), ping.stderr)
  }
})

lab.test('D6: the VIP is not on the task', async t => {
  const vip = await vipOf('go-demo-db')
  const node = await nodeOf('go-demo-db')
  const { name } = await taskOf(node, 'go-demo-db')
  t.notMatch(await outOf(node, name, 'ip', 'address'), vip!)
})

lab.test('D8: busybox nslookup of a service', async t => {
  await lab.tapmesh('node2', 'service', 'create', '--name', 'whoami', '--network', 'demo', '--',
    'tapmesh', 'whoami', '--port', '80')
  await untilTasks('whoami', 1)
  const text = await outOf('node1', 'util', 'busybox', 'nslookup', 'whoami')
  t.match(text, /Server:\s+127\.0\.0\.11/)
  t.match(text, new RegExp(`Name:\\s+whoami\\s+Address:\\s+${await vipOf('whoami')}`))
})

lab.test('D9, D10: three tasks, each with its reverse name, and one VIP as before', async t => {
  const vip = await vipOf('whoami')
  await lab.tapmesh('node1', 'service', 'scale', 'whoami=3')
  const addresses = await untilTasks('whoami', 3)
  t.equal(new Set(addresses).size, 3)
  t.equal(await vipOf('whoami', 'node3'), vip, 'D10')
  const names = await Promise.all(addresses.map(async one => (await dig('node1', '-x', one))[0]))
  t.same(names.map(name => name?.split('.')[1]).sort(), ['1', '2', '3'])
  for (const name of names) t.match(name, new RegExp(`^whoami\\.[123]\\.${TASK_DIGITS}\\.demo\\.$`))
  const text = await outOf('node2', 'util', 'busybox', 'nslookup', 'tasks.whoami')
  for (const address of addresses) t.match(text, address)
  t.same(await dig('node3', names[0]!), [addresses[0]], 'and back')
})

lab.test('several addresses come in another order each time', async t => {
  const first = new Set<string>()
  await until('another address is the first', async () => {
    first.add((await outOf('node1', 'util', 'dig', '+short', 'tasks.whoami')).split('\n')[0]!)
    return first.size > 1
  })
  t.ok(first.size > 1)
})

lab.test('D12: nslookup -type=a, of busybox from 1.29 on', async t => {
  const text = await outOf('node1', 'util', 'busybox', 'nslookup', '-type=a', 'whoami.demo')
  t.match(text, new RegExp(`Address:\\s+${await vipOf('whoami')}`))
})

lab.test('the C library finds names, forward and back', async t => {
  const vip = await vipOf('whoami')
  t.match(await outOf('node3', 'util', 'getent', 'ahosts', 'whoami'), new RegExp(`^${vip}\\s`))
  t.match(await outOf('node3', 'util', 'getent', 'hosts', 'whoami.demo'), new RegExp(`^${vip}\\s`))
  const [address] = await dig('node3', 'tasks.go-demo-db')
  t.match(await outOf('node3', 'util', 'getent', 'hosts', address!), /go-demo-db\.1\.\w{25}\.demo/)
  const six = await inTask('node3', 'util', 'python3', '-c',
    'import socket; socket.getaddrinfo("whoami", 80, socket.AF_INET6)')
  t.not(six.code, 0, 'it has no IPv6 address')
})

lab.test('A and AAAA that are asked at once are both answered', async t => {
  const text = await outOf('node2', 'util', 'python3',
    join(import.meta.dirname, 'lib', 'parallel-lookup.py'), 'whoami')
  t.match(text, new RegExp(`^A rcode=0 1 ${await vipOf('whoami')}\nAAAA rcode=0 0\n`))
})

lab.test('a program of musl finds names, forward and back', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'musl-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const program = join(folder, 'lookup')
  const built = await exec(['musl-gcc', '-static', '-O1', '-o', program,
    join(import.meta.dirname, 'lib', 'musl-lookup.c')])
  t.equal(built.code, 0, built.stderr)
  const [address] = await dig('node3', 'tasks.go-demo-db')
  const words = ['whoami', 'WhoAmI.demo.', 'tasks.whoami', OUTSIDE_NAME, 'never-heard-of', address!]
  const text = await outOf('node3', 'util', program, ...words)
  const found = new Map(text.split('\n').map(line => {
    const [, word = '', answer = '', ms] = /^(.*?): (.*) after (\d+) ms$/.exec(line) ?? []
    t.ok(Number(ms) < MUSL_ASKS_AGAIN_MS, `both answers have come: ${line}`)
    return [word, answer]
  }))
  const vip = await vipOf('whoami')
  t.same([found.get('whoami'), found.get('WhoAmI.demo.')], [vip, vip], 'and no IPv6 address')
  t.same(found.get('tasks.whoami')?.split(' ').sort(), await dig('node3', 'tasks.whoami'))
  t.equal(found.get(OUTSIDE_NAME), OUTSIDE_ADDRESS)
  t.equal(found.get('never-heard-of'), 'Name does not resolve')
  t.match(found.get(address!), /^go-demo-db\.1\.\w{25}\.demo$/)
}, { tools: ['musl-gcc'] })

lab.test('an answer that is too long for a datagram comes whole over TCP', async t => {
  await lab.tapmesh('node1', 'service', 'create', '-d', '--name', 'many', '--network', 'demo',
    '--endpoint-mode', 'dnsrr', '--replicas', '34', '--', 'sleep', '10000')
  await until('34 tasks', async () => (await dig('node1', '+tcp', 'many')).length === 34, 90_000)
  t.match(await digWhole('node1', '+noedns', '+ignore', 'many'), /flags: qr aa tc rd ra/)
  t.equal((await dig('node1', '+noedns', 'many')).length, 34, 'dig goes on over TCP')
  t.equal((await dig('node1', '+ignore', 'many')).length, 34, 'with EDNS they fit')
  await lab.tapmesh('node1', 'service', 'rm', 'many')
})

lab.test('names of the outside come from the host\'s name server, over UDP and TCP', async t => {
  t.same(await dig('node1', OUTSIDE_NAME), [OUTSIDE_ADDRESS])
  t.same(await dig('node1', '+tcp', `${OUTSIDE_NAME}.`), [OUTSIDE_ADDRESS])
  t.match(await outOf('node2', 'util', 'getent', 'ahostsv4', OUTSIDE_NAME), OUTSIDE_ADDRESS)
  t.match(await digWhole('node1', 'nothing.outside.example'), /status: NXDOMAIN/)
  t.ok(await lab.count('node1', 'dns.forwarded') >= 2)
})

lab.test('D7: without tasks there is no address, at once, and nobody outside hears of it',
  async t => {
    await lab.sh('node2', 'echo search corp.example >>/etc/resolv.conf')
    await lab.tapmesh('node1', 'service', 'scale', 'go-demo-db=0')
    await untilTasks('go-demo-db', 0)
    let quickestMs = Infinity
    for (let n = 0; n < TRIES; n++) {
      const text = await digWhole('node2', 'go-demo-db')
      t.match(text, /status: NXDOMAIN/)
      quickestMs = Math.min(quickestMs, Number(/Query time: (\d+) msec/.exec(text)?.[1]))
    }
    t.ok(quickestMs < QUICK_MS, `${quickestMs} ms`)
    // The C library goes on with the host's search domains; not even so does the name leave.
    await lab.runTask('node2', 'searcher', 'demo', 'sleep', '10000')
    t.not((await inTask('node2', 'searcher', 'getent', 'ahosts', 'go-demo-db')).code, 0)
    t.not((await inTask('node2', 'searcher', 'getent', 'ahosts', 'never-heard-of')).code, 0)
    await until('the other name is heard of outside, with the search domain', () =>
      outside.stdout.includes('never-heard-of.corp.example'))
    t.notMatch(outside.stdout, /go-demo-db|whoami|never-heard-of A/)
  })

lab.test('names are served again after the daemon was killed, and healed when taken away',
  async t => {
    await lab.daemon('node3', 'kill')
    await lab.daemon('node3', 'start')
    const { address } = (await lab.task('node2', 'db')).endpoints[0]!
    await until('the name is answered again', async () =>
      (await lab.run('node3/util', 'dig', '@127.0.0.11', '+short', '+tries=1', 'db'))
        .stdout.trim() === address)
    t.match(await lab.out('node3/util', 'ss', '-Huln'), /127\.0\.0\.11:53/)
    t.match(await lab.out('node3/util', 'ss', '-Htln'), /127\.0\.0\.11:53/)
  })

lab.test('the sockets of a task go with it', async t => {
  const open = async () => Number(await lab.sh('node1',
    'ls /proc/$(pgrep -of "tapmesh.*daemon|main.ts daemon")/fd | wc -l'))
  const before = await open()
  for (let n = 0; n < 5; n++) {
    await lab.bareTask('node1', 'short', 'demo')
    await lab.tapmesh('node1', 'rm', '-f', 'short')
  }
  await until('as many descriptors as before', async () => await open() <= before)
  t.pass()
})

lab.test('tapmesh dns why explains, and dns ls lists', async t => {
  const why = await lab.tapmesh('node1', 'dns', 'why', '--task', 'util', 'whoami')
  t.match(why, /^whoami A, asked by task util: demo\n {2}1\. network demo: "whoami" is service /)
  t.match(why, /NOERROR in [\d.]+ ms\n {2}A 10\.0\.1\.\d+ \(TTL 600 s\)$/)
  t.match(await lab.tapmesh('node1', 'dns', 'why', 'go-demo-db'), /has no task\n.*NXDOMAIN/s)
  t.match(await lab.tapmesh('node1', 'dns', 'why', OUTSIDE_NAME),
    new RegExp(`198\\.51\\.100\\.8: NOERROR|asked .* s ago: NOERROR`))
  t.match(await lab.tapmesh('node3', 'dns', 'ls'), /^demo +whoami +service +10\.0\.1\.\d+$/m)
})

lab.test('nothing leaves a task whose networks are internal', async t => {
  await lab.tapmesh('node1', 'network', 'create', '--internal', 'inner')
  await untilEqual(lab)
  await lab.runTask('node1', 'shut', 'inner', 'sleep', '10000')
  const before = outside.stdout
  t.match(await outOf('node1', 'shut', 'dig', 'other.outside.example'), /status: REFUSED/)
  t.match(await outOf('node1', 'shut', 'dig', '+short', 'shut'), /^10\./)
  t.equal(outside.stdout, before)
})

/** The node on which the first task of a service runs. */
async function nodeOf(service: string): Promise<string> {
  for (const node of lab.nodes) if (await taskOf(node, service).catch(() => null)) return node
  throw new Error(`no node has a task of ${service}`)
}

async function taskOf(node: string, service: string): Promise<{ name: string }> {
  const found = (await lab.api<{ name: string; state: string }[]>(node, 'tasks'))
    .find(task => task.name.startsWith(`${service}.`) && task.state === 'running')
  if (found === undefined) throw new Error(`${node} has no task of ${service}`)
  return found
}
