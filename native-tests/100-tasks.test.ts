// The life of a task: what `run` makes in the kernel, how people enter it, how it ends, and that
// nothing of it is left.
// May run beside another test.
import { type KernelState, kernelState } from './lib/kernel-state.ts'
import { useLab } from './lib/lab.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 1 })
const NODE = 'node1'
const TERM_IGNORED = 'trap "" TERM; while :; do sleep 0.05; done'

type Link = {
  ifname: string
  address: string
  mtu: number
  flags: string[]
  linkinfo?: { info_kind: string; info_data: { type: string; persist: boolean } }
  addr_info: { family: string; local: string; prefixlen: number; tentative?: boolean }[]
}

const tapmesh = (...words: string[]) => lab.tapmesh(NODE, ...words)

let before: KernelState

lab.test('a network is made', async t => {
  t.match(await tapmesh('network', 'create', 'mynet'), /^[0-9a-z]{25}$/)
  before = await kernelState(lab, NODE)
  t.same(before.namespaces, [])
})

lab.test('run makes a namespace with a TAP that is ready', async t => {
  const id = await lab.runTask(NODE, 'web', 'mynet,ip=10.0.1.8', 'sleep', '1000')
  t.match(id, /^[0-9a-f]{64}$/)
  t.match(await lab.out(NODE, 'ip', 'netns'), /^tm-web\b/m)
  const shown = await lab.out(NODE, 'ip', '-n', 'tm-web', '-d', '-j', 'address')
  const links = JSON.parse(shown) as Link[]
  t.same(links.map(link => link.ifname), ['lo', 'eth0', 'eth1'])
  const eth0 = links[1]!
  t.match(eth0, {
    address: '02:42:0a:00:01:08', mtu: 1450,
    linkinfo: { info_kind: 'tun', info_data: { type: 'tap', persist: true } },
  })
  for (const link of links) t.ok(link.flags.includes('UP') && link.flags.includes('LOWER_UP'))
  t.same(eth0.addr_info.map(one => `${one.local}/${one.prefixlen} ${one.tentative ?? false}`),
    ['10.0.1.8/24 false', 'fe80::42:aff:fe00:108/64 false'])
  t.match(await lab.out('node1/web', 'ip', 'route'), /^10\.0\.1\.0\/24 dev eth0/m)
  const devices = (await lab.out(NODE, 'ls', '/sys/class/net')).trim().split('\n')
  t.same(devices.filter(name => !before.devices.includes(name)), [`tmg${id.slice(0, 12)}`],
    'on the host only the other end of its way out')
})

lab.test('people enter by ip netns, nsenter and tapmesh exec', async t => {
  const { id, pid, hostname } = await lab.task(NODE, 'web')
  t.equal(hostname, id.slice(0, 12))
  const address = ['ip', '-4', '-o', 'address', 'show', 'eth0']
  const entries = [
    ['ip', 'netns', 'exec', 'tm-web'], ['nsenter', '--net=/run/netns/tm-web'],
    ['nsenter', '-t', String(pid), '-n'], ['tapmesh', 'exec', 'web', '--'],
    ['tapmesh', 'exec', id.slice(0, 6)],
  ]
  for (const entry of entries) {
    t.match(await lab.out(NODE, ...entry, ...address), '10.0.1.8/24', entry.join(' '))
  }
  t.equal(await tapmesh('exec', 'web', '--', 'hostname'), hostname)
  t.equal((await lab.out(NODE, 'hostname')).trim(), NODE, 'the host keeps its own name')
  t.same((await tapmesh('exec', 'web', 'ls', '/sys/class/net')).split('\n'), ['eth0', 'eth1', 'lo'])
  t.equal((await lab.run(NODE, 'tapmesh', 'exec', 'web', '--', 'sh', '-c', 'exit 9')).code, 9)
})

lab.test('ps, inspect and network inspect show it', async t => {
  const { id, pid } = await lab.task(NODE, 'web')
  const line = (await tapmesh('ps')).split('\n').find(one => one.startsWith(id.slice(0, 12)))
  t.match(line, /^\w+ +web +"sleep 1000" +Up .* tm-web +10\.0\.1\.8\/24$/)
  const inspected = JSON.parse(await tapmesh('inspect', 'web')) as unknown
  t.match(inspected, [{
    id, name: 'web', state: 'running', netns: 'tm-web', pid,
    endpoints: [{ address: '10.0.1.8', mac: '02:42:0a:00:01:08', ipv6: 'fe80::42:aff:fe00:108' }],
  }])
  t.match(await lab.out(NODE, 'cat', `/proc/${pid}/cmdline`), 'sleep')
  const network = JSON.parse(await tapmesh('network', 'inspect', 'mynet')) as unknown
  t.match(network, [{ Containers: { [id]: { Name: 'web', IPv4Address: '10.0.1.8/24' } } }])
})

lab.test('what it writes is kept, with environment and folder as asked', async t => {
  const script = 'echo "$WORD in $PWD on $(hostname)"; echo again >&2; exit 3'
  const id = await tapmesh('run', '-d', '--name', 'talk', '--network', 'mynet', '-e', 'WORD=hello',
    '-w', '/tmp', '--', 'sh', '-c', script)
  t.equal(await tapmesh('wait', 'talk'), '3')
  t.equal(await tapmesh('logs', 'talk'), `hello in /tmp on ${id.slice(0, 12)}\nagain`)
  t.equal(await tapmesh('logs', '--tail', '1', 'talk'), 'again')
  t.match(await lab.task(NODE, 'talk'), { state: 'exited', exitCode: 3, pid: null, endpoints: [] })
  t.match(await tapmesh('ps', '-a'), /talk .*Exited \(3\)/)
  t.notMatch(await tapmesh('ps'), 'talk')
  t.notMatch(await lab.out(NODE, 'ip', 'netns'), 'tm-talk', 'an ended task holds no namespace')
  await tapmesh('rm', 'talk')
})

lab.test('run in the foreground has the output and the exit code of the command', async t => {
  const run = (...words: string[]) =>
    lab.run(NODE, 'tapmesh', 'run', '--network', 'mynet', ...words)
  const kept = await run('--name', 'kept', '--', 'sh', '-c', 'echo out; exit 41')
  t.match(kept, { code: 41, stdout: 'out\n' })
  t.match(await lab.task(NODE, 'kept'), { state: 'exited', exitCode: 41 })
  await tapmesh('rm', 'kept')
  t.match(await run('--rm', '--name', 'gone', '--', 'sh', '-c', 'exit 7'), { code: 7, stdout: '' })
  t.notMatch(await tapmesh('ps', '-a'), 'gone')
  const started = await run('--', 'no-such-program')
  t.match(started, { code: 125, stderr: /^tapmesh: .*"no-such-program".*\n$/ })
  t.equal(started.stderr.split('\n').length, 2, 'one line')
  t.notMatch(await tapmesh('ps', '-a'), 'no-such')
})

lab.test('Ctrl-C is passed on to a task in the foreground', async t => {
  const run = lab.start(NODE, 'bash', '-c', 'echo $$ && exec tapmesh run --rm --name inter '
    + '--network mynet -- sh -c \'trap "exit 5" INT; echo ready; while :; do sleep 0.05; done\'')
  await until('the task speaks', () => run.stdout.includes('ready'))
  await lab.out(NODE, 'kill', '-INT', run.stdout.split('\n')[0]!)
  t.equal(await run.ended, 5)
})

lab.test('stop sends TERM, and KILL to what does not end in time', async t => {
  await lab.runTask(NODE, 'tidy', 'mynet', 'sh', '-c',
    'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done')
  await lab.runTask(NODE, 'deaf', 'mynet', 'sh', '-c', `echo ready; ${TERM_IGNORED}`)
  for (const name of ['tidy', 'deaf']) {
    await until(`${name} is ready`, async () => await tapmesh('logs', name) === 'ready')
  }
  await tapmesh('stop', 'tidy')
  t.match(await lab.task(NODE, 'tidy'), { state: 'exited', exitCode: 5 })
  const began = performance.now()
  await tapmesh('stop', '--time', '1', 'deaf')
  t.ok(performance.now() - began >= 1000, 'it was given its time')
  t.match(await lab.task(NODE, 'deaf'), { state: 'exited', exitCode: 137 })
  t.same((await tapmesh('rm', 'tidy', 'deaf')).split('\n'), ['tidy', 'deaf'])
})

lab.test('what a command leaves behind in its namespace ends with it', async t => {
  await lab.runTask(NODE, 'parent', 'mynet', 'sh', '-c', 'setsid sleep 4321 & echo $!')
  t.equal(await tapmesh('wait', 'parent'), '0')
  t.notMatch(await lab.sh(NODE, 'ps -eo args'), 'sleep 4321')
  await tapmesh('rm', 'parent')
})

lab.test('without a command there is only the namespace', async t => {
  const id = await lab.bareTask(NODE, 'bare', 'mynet')
  t.match(await lab.task(NODE, 'bare'),
    { pid: null, command: [], endpoints: [{ interface: 'eth0' }] })
  t.equal((await lab.run('node1/bare', 'ping', '-c1', '-W2', '10.0.1.8')).code, 0)
  t.equal(await tapmesh('exec', 'bare', '--', 'hostname'), id.slice(0, 12))
  t.match(await tapmesh('ps'), 'bare')
  await tapmesh('rm', 'bare')
})

lab.test('a task may join two networks, as eth0 and eth2: eth1 is the way out', async t => {
  await tapmesh('network', 'create', 'second')
  await tapmesh('run', '-d', '--name', 'both', '--network', 'second', '--network', 'mynet')
  const addresses = await lab.out('node1/both', 'ip', '-4', '-o', 'address')
  t.match(addresses, /eth0 +inet 10\.0\.3\./)
  t.match(addresses, /eth1 +inet 172\.18\./)
  t.match(addresses, /eth2 +inet 10\.0\.1\./)
  t.match(await lab.run(NODE, 'tapmesh', 'network', 'rm', 'second'),
    { code: 1, stderr: /used by both/ })
  await tapmesh('rm', 'both')
  await tapmesh('network', 'rm', 'second')
})

lab.test('a running task is removed only when told to', async t => {
  const refused = await lab.run(NODE, 'tapmesh', 'rm', 'web')
  t.match(refused, { code: 1, stderr: /"web" is running/ })
  await tapmesh('rm', '-f', 'web')
  t.equal((await lab.run(NODE, 'tapmesh', 'inspect', 'web')).code, 1)
})

lab.test('nothing is left: process, namespace, device, mount, file', async t => {
  const after = await until('no process is left', async () => {
    const state = await kernelState(lab, NODE)
    return state.processes.length === before.processes.length && state
  })
  t.same(after, before)
  t.same(await lab.api(NODE, 'tasks'), [])
})
