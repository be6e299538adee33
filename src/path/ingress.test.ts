// Published ports: what comes to the host goes to a task, as whom, and how its answer gets back.
import test from 'ava'
import fc from 'fast-check'
import { parseIpv4 } from '../base/text.ts'
import {
  arpRequest, echo, payloadOf, type Station, station, viewOf,
} from './frames.test-kit.ts'
import type { PublishedRow, Scheduler } from './image-rows.ts'
import { errorFromHost } from './ingress.ts'
import { Lab, type LabEndpoint, type LabOptions } from './lab.test-kit.ts'
import { faultOf } from './offload.test-kit.ts'
import {
  ACK, datagram, endsOf, FIN, got, icmpFrame, mssFrame, mssOf, RST, SYN, tcpFrame, used,
} from './services.test-kit.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const MARK = 256
const LOCAL_MARK = 257
const CLIENT = station('198.51.100.9')
const NODE = '192.168.56.11'
const GATEWAY = station('10.0.0.1')
const TCP = 6
const UDP = 17

/** Two nodes with an address of the ingress network each, and a task of a service on both. */
function ingressLab(over: Partial<PublishedRow> = {}, backends: readonly number[] = [1],
  { scheduler = 'rr', ...options }: LabOptions & { scheduler?: Scheduler } = {}) {
  const lab = new Lab({ hosts: 2, strict: true, vnis: [4096], ...options })
  const [one, two] = [lab.host(0), lab.host(1)]
  const host = one.addEndpoint('10.0.0.2', { role: 'host' })
  const otherHost = two.addEndpoint('10.0.0.3', { role: 'host' })
  const here = one.addEndpoint('10.0.0.6', { role: 'published' })
  const there = two.addEndpoint('10.0.0.7', { role: 'published' })
  const all = [{ id: 0, address: parseIpv4(here.address), weight: 1 },
    { id: 1, address: parseIpv4(there.address), weight: 1 }]
  const publish = (ids: readonly number[]): void => {
    const row = { network: 0, scheduler, backends: ids.map(id => all[id]!) }
    for (const { rows } of lab.hosts) {
      Object.assign(rows.networks[0]!, { gateway: parseIpv4(GATEWAY.address), isIngress: true })
      rows.services = [{ mark: MARK, address: parseIpv4('10.0.0.5'), ...row },
        { mark: LOCAL_MARK, address: null, ...row, backends: [all[0]!] }]
      rows.published = [TCP, UDP].flatMap(protocol => [
        { protocol, port: 8080, mark: MARK, target: 80, isPreserving: false, ...over },
        { protocol, port: 9090, mark: LOCAL_MARK, target: 90, isPreserving: true }])
    }
    lab.share()
  }
  publish(backends)
  return { lab, one, two, host, otherHost, here, there, publish }
}

/** What the kernel hands to the way to the host: its device has no ARP, both MACs are its own. */
function asked(host: LabEndpoint, from: Station, to: string): [Station, Station] {
  return [{ ...from, mac: host.mac }, { ...station(to), mac: host.mac }]
}

function syn(host: LabEndpoint, port = 5000, from: Station = CLIENT, to = NODE,
  flags = SYN): Uint8Array {
  const [source, destination] = asked(host, from, to)
  return tcpFrame(source, destination, [port, 8080], flags)
}

/** The receiver of `frame` answers; `by` is the MAC that its kernel sends it to. */
function answer(end: LabEndpoint, frame: Uint8Array, flags: number, by: Station): void {
  const view = viewOf(frame)
  const to = { ...station(Array.from(frame.subarray(26, 30)).join('.')), mac: by.mac }
  end.send(tcpFrame(end, to, [view.getUint16(36), view.getUint16(34)], flags))
}

const macOctets = (mac: string): Uint8Array =>
  Uint8Array.from(mac.split(':'), octet => parseInt(octet, 16))

/** "198.51.100.9:5000 > …" without the MACs. */
const plain = (frame: Uint8Array): string => endsOf(frame).replaceAll(/ at [0-9a-f:]+/g, '')

for (const [name, backend] of [['on the node that was asked', 0], ['on another', 1]] as const) {
  test(`a client is led to a task ${name}, which sees the node`, t => {
    const { lab, one, two, host, here, there } = ingressLab({}, [backend])
    const task = [here, there][backend]!
    host.send(syn(host))
    lab.run()
    const [first] = task.takeAll()
    t.is(endsOf(first!), `10.0.0.2:5000 > ${task.address}:80`)
    t.is(faultOf(first!), '')
    answer(task, first!, SYN | ACK, host)
    lab.run()
    const [back] = host.takeAll()
    t.is(plain(back!), `${NODE}:8080 > 198.51.100.9:5000`)
    t.is(faultOf(back!), '')
    t.deepEqual(back!.subarray(0, 6), macOctets(host.mac), 'it is for the device itself')
    t.deepEqual([one.drops(), two.drops()], [{}, {}])
    t.is(used(two), 0)
  })

  test(`a client is led to a task ${name}, which sees the client`, t => {
    const { lab, one, two, host, here, there } = ingressLab({ isPreserving: true }, [backend])
    const task = [here, there][backend]!
    host.send(syn(host))
    lab.run()
    const [first] = task.takeAll()
    t.is(plain(first!), `198.51.100.9:5000 > ${task.address}:80`)
    t.is(faultOf(first!), '')
    answer(task, first!, SYN | ACK, GATEWAY)
    lab.run()
    const [back] = host.takeAll()
    t.is(plain(back!), `${NODE}:8080 > 198.51.100.9:5000`)
    t.is(faultOf(back!), '')
    t.deepEqual(back!.subarray(0, 6), macOctets(host.mac), 'it is for the device itself')
    host.send(syn(host, 5000, CLIENT, NODE, ACK))
    lab.run()
    t.is(plain(task.takeAll()[0]!), `198.51.100.9:5000 > ${task.address}:80`)
    t.deepEqual([one.drops(), two.drops()], [{}, {}])
    t.is(used(two), backend, 'the node of the task remembers who was asked')
  })
}

for (const isPreserving of [false, true]) {
  for (const backend of [0, 1] as const) {
    test(`both ends hear of segments that fit: mode ${isPreserving}, task ${backend}`, t => {
      const { lab, one, two, host, here, there } = ingressLab({ isPreserving }, [backend],
        { mtu: 1350 })
      const task = [here, there][backend]!
      const [source, destination] = asked(host, CLIENT, NODE)
      host.send(mssFrame(source, destination, [5000, 8080], SYN, 1460))
      lab.run()
      const [first] = task.takeAll()
      t.deepEqual([mssOf(first!), faultOf(first!)], [1310, ''])
      const view = viewOf(first!)
      const to = { ...station(Array.from(first!.subarray(26, 30)).join('.')),
        mac: (isPreserving ? GATEWAY : host).mac }
      task.send(mssFrame(task, to, [view.getUint16(36), view.getUint16(34)], SYN | ACK, 1410))
      lab.run()
      const [back] = host.takeAll()
      t.is(plain(back!), `${NODE}:8080 > 198.51.100.9:5000`)
      t.deepEqual([mssOf(back!), faultOf(back!)], [1310, ''])
      t.is(one.count('tcp.mss_clamped'), backend === 0 ? 2 : 1)
      t.is(two.count('tcp.mss_clamped'), backend === 0 ? 0 : 1)
    })
  }
}

test('the host itself is answered, also on its loopback address', t => {
  for (const isPreserving of [false, true]) {
    const { lab, host, there } = ingressLab({ isPreserving })
    for (const [n, address] of ['127.0.0.1', NODE].entries()) {
      host.send(syn(host, 5000 + n, station(address), address))
      lab.run()
      const [first] = there.takeAll()
      const isShown = isPreserving && address === NODE
      t.is(plain(first!), `${isShown ? NODE : '10.0.0.2'}:${5000 + n} > 10.0.0.7:80`)
      answer(there, first!, SYN | ACK, isShown ? GATEWAY : host)
      lab.run()
      t.deepEqual(host.takeAll().map(plain), [`${address}:8080 > ${address}:${5000 + n}`])
    }
  }
})

test('two clients with one port are told apart', t => {
  const { lab, host, there } = ingressLab()
  const other = station('203.0.113.5')
  host.send(syn(host), syn(host, 5000, other))
  lab.run()
  const frames = there.takeAll()
  t.is(plain(frames[0]!), '10.0.0.2:5000 > 10.0.0.7:80')
  t.regex(plain(frames[1]!), /^10\.0\.0\.2:(?!5000)\d+ > 10\.0\.0\.7:80$/)
  for (const frame of frames) answer(there, frame, SYN | ACK, host)
  lab.run()
  t.deepEqual(host.takeAll().map(plain),
    [`${NODE}:8080 > 198.51.100.9:5000`, `${NODE}:8080 > 203.0.113.5:5000`])
})

for (const isPreserving of [false, true]) {
  for (const backend of [0, 1]) {
    const where = backend === 0 ? 'on the node that was asked' : 'on another'
    const seen = isPreserving ? 'the client' : 'the node'
    test(`a task ${where}, which sees ${seen}, hears of a narrow path to its client`, t => {
      const { lab, one, two, host, here, there } = ingressLab({ isPreserving }, [backend])
      const task = [here, there][backend]!
      host.send(syn(host))
      lab.run()
      const [first] = task.takeAll()
      answer(task, first!, SYN | ACK, isPreserving ? GATEWAY : host)
      lab.run()
      const [back] = host.takeAll()
      // From a router; the kernel hands it over without an Ethernet header.
      const message = Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 20, ...back!.subarray(14))
      errorFromHost(one.plane, icmpFrame(station('203.0.113.1'), station(NODE), message)
        .subarray(14))
      lab.run()
      const [error] = task.takeAll()
      const shown = isPreserving ? CLIENT.address : host.address
      t.is(faultOf(error!), '')
      const address = (at: number) => Array.from(error!.subarray(at, at + 4)).join('.')
      t.deepEqual([address(26), address(30)], [shown, task.address])
      t.deepEqual([...error!.subarray(34, 36), viewOf(error!).getUint16(40)], [3, 4, 1300])
      // It quotes what the task has sent.
      t.deepEqual([address(54), address(58)], [task.address, shown])
      t.deepEqual([viewOf(error!).getUint16(62), viewOf(error!).getUint16(64)], [80, 5000])
      t.deepEqual([one.drops(), two.drops()], [{}, {}])
    })
  }
}

test('of errors that are no errors, or nobody\'s, nothing is told', t => {
  const { lab, one, here, there, host } = ingressLab()
  const stray = tcpFrame(station(NODE), CLIENT, [8080, 5000], ACK).subarray(14)
  const packet = icmpFrame(station('203.0.113.1'), station(NODE),
    Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 20, ...stray)).subarray(14)
  errorFromHost(one.plane, packet)
  errorFromHost(one.plane, packet.subarray(0, 40))
  errorFromHost(one.plane, stray)
  errorFromHost(one.plane, new Uint8Array(577))
  errorFromHost(one.plane, new Uint8Array())
  lab.run()
  t.deepEqual([here, there, host].flatMap(end => end.takeAll()), [])
  t.deepEqual(one.drops(), { vip_no_flow: 1, malformed: 4 })
})

test('a port that leads to the tasks of this node alone', t => {
  const { lab, host, here } = ingressLab()
  const [from, to] = asked(host, CLIENT, NODE)
  host.send(datagram(from, to, [5000, 9090]))
  lab.run()
  const [first] = here.takeAll()
  t.is(plain(first!), '198.51.100.9:5000 > 10.0.0.6:90')
  here.send(datagram(here, { ...CLIENT, mac: GATEWAY.mac }, [90, 5000]))
  lab.run()
  t.deepEqual(host.takeAll().map(plain), [`${NODE}:9090 > 198.51.100.9:5000`])
})

test('connections go round, one after the other', t => {
  const { lab, host, here, there } = ingressLab({}, [0, 1])
  for (let port = 5000; port < 5300; port++) host.send(syn(host, port))
  lab.run()
  t.deepEqual([got(here).length, got(there).length], [150, 150])
})

test('a client hears at once that nobody is there, or that nothing is known of it', t => {
  const { lab, one, host, publish } = ingressLab()
  host.send(syn(host, 5000, CLIENT, NODE, ACK))
  lab.run()
  const [reset] = host.takeAll()
  t.is(plain(reset!), `${NODE}:8080 > 198.51.100.9:5000`)
  t.is(reset![47]! & RST, RST)
  const [from, to] = asked(host, CLIENT, NODE)
  host.send(tcpFrame(from, to, [5000, 8081], SYN))
  lab.run()
  t.is(host.takeAll()[0]![47]! & RST, RST, 'a port that is not published')
  publish([])
  host.send(syn(host))
  lab.run()
  t.is(host.takeAll()[0]![34], 3, 'ICMP: unreachable')
  t.deepEqual(one.drops(), { vip_no_flow: 1, ingress_no_flow: 1, vip_no_backend: 1 })
})

test('tasks in the ingress network answer nodes, and meet nobody else', t => {
  const { lab, one, host, otherHost, here, there } = ingressLab({}, [0, 1])
  here.send(tcpFrame(here, there, [5000, 80], SYN), datagram(here, host, [5000, 22]),
    tcpFrame(here, station('10.0.0.5'), [5000, 8080], SYN),
    icmpFrame(here, host, echo(8, 1, payloadOf(8))),
    tcpFrame(here, { ...CLIENT, mac: GATEWAY.mac }, [80, 5000], ACK),
    arpRequest(here, there.address))
  lab.run()
  t.deepEqual(there.takeAll(), [])
  t.deepEqual(host.takeAll(), [])
  t.is(here.takeAll().length, 1, 'only ARP is answered')
  t.deepEqual(one.drops(), { ingress_apart: 2, ingress_no_flow: 3 })
  there.send(datagram(there, host, [5000, 22]))
  lab.run()
  t.deepEqual(host.takeAll(), [])
  t.is(one.drops()['ingress_no_flow'], 4)
  t.deepEqual(otherHost.takeAll(), [])
})

test('a client that asks two nodes from one port is answered by the one it asked last', t => {
  const { lab, two, host, otherHost, there } = ingressLab({ isPreserving: true })
  host.send(syn(host))
  lab.run()
  there.takeAll()
  otherHost.send(syn(otherHost, 5000, CLIENT, '192.168.56.12'))
  lab.run()
  const [second] = there.takeAll()
  answer(there, second!, SYN | ACK, GATEWAY)
  lab.run()
  t.deepEqual([...host.takeAll(), ...otherHost.takeAll()].map(plain).length, 1)
  t.deepEqual(two.drops(), {})
})

test('nobody but a node speaks for clients, and no task for anybody', t => {
  const { lab, one, two, here, there } = ingressLab({ isPreserving: true })
  here.send(tcpFrame({ ...CLIENT, mac: here.mac }, there, [5000, 80], SYN))
  lab.run()
  t.deepEqual(one.drops(), { spoofed_address: 1 })
  // As a node would send it that does not check its tasks.
  const frame = tcpFrame({ ...CLIENT, mac: here.mac }, there, [5000, 80], SYN)
  two.receive(Uint8Array.of(8, 0, 0, 0, 0, 0x10, 0, 0, ...frame), parseIpv4('192.168.56.11'))
  lab.run()
  t.deepEqual(two.drops(), { unknown_source: 1 })
  t.deepEqual(there.takeAll(), [])
})

test('what is answered is what was asked, the other way round, whatever it is', t => {
  const ports = fc.tuple(fc.integer({ min: 1, max: 65_535 }), fc.boolean(), fc.boolean(),
    fc.boolean(), fc.uint8Array({ maxLength: 1200 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
  fc.assert(fc.property(ports, ([port, isTcp, isPreserving, isHere, payload, address]) => {
    if (address >>> 24 === 127) return
    const { lab, host, here, there } = ingressLab({ isPreserving }, [isHere ? 0 : 1])
    const client = station([24, 16, 8, 0].map(bits => address >>> bits & 255).join('.'))
    const [from, to] = asked(host, client, NODE)
    host.send(isTcp ? tcpFrame(from, to, [port, 8080], SYN, payload)
      : datagram(from, to, [port, 8080], payload))
    lab.run()
    const [frame] = (isHere ? here : there).takeAll()
    t.is(faultOf(frame!), '')
    const task = isHere ? here : there
    const shown = { ...station(Array.from(frame!.subarray(26, 30)).join('.')),
      mac: isPreserving ? GATEWAY.mac : host.mac }
    const back = [80, viewOf(frame!).getUint16(34)] as const
    task.send(isTcp ? tcpFrame(task, shown, back, SYN | ACK, payload)
      : datagram(task, shown, back, payload))
    lab.run()
    const wanted = isTcp ? tcpFrame(to, from, [8080, port], SYN | ACK, payload)
      : datagram(to, from, [8080, port], payload)
    const [answered] = host.takeAll()
    t.deepEqual(answered!.subarray(14), wanted.subarray(14))
  }), { seed: SEED, numRuns: 60 })
})

test('a connection through another node is over when both have said so, and then forgotten', t => {
  const { lab, two, host, there } = ingressLab({ isPreserving: true })
  host.send(syn(host))
  lab.run()
  const [first] = there.takeAll()
  answer(there, first!, SYN | ACK, GATEWAY)
  lab.run()
  host.send(syn(host, 5000, CLIENT, NODE, ACK), syn(host, 5000, CLIENT, NODE, FIN | ACK))
  lab.run()
  answer(there, first!, FIN | ACK, GATEWAY)
  lab.run()
  t.is(used(two), 1)
  lab.advance(121_000)
  t.is(used(two), 0)
})

for (const isPreserving of [false, true]) {
  const seen = isPreserving ? 'the client' : 'the node'
  test(`a connection that was idle for twenty minutes goes on; the task sees ${seen}`, t => {
    const { lab, one, two, host, there } = ingressLab({ isPreserving })
    const by = isPreserving ? GATEWAY : host
    host.send(syn(host))
    lab.run()
    const [first] = there.takeAll()
    answer(there, first!, SYN | ACK, by)
    lab.run()
    host.send(syn(host, 5000, CLIENT, NODE, ACK))
    lab.run()
    host.takeAll()
    there.takeAll()
    for (let minute = 0; minute < 20; minute++) lab.advance(60_000)
    host.send(syn(host, 5000, CLIENT, NODE, ACK))
    lab.run()
    t.is(plain(there.takeAll()[0]!), plain(first!))
    for (let minute = 0; minute < 20; minute++) lab.advance(60_000)
    answer(there, first!, ACK, by)
    lab.run()
    t.deepEqual(host.takeAll().map(plain), [`${NODE}:8080 > 198.51.100.9:5000`])
    t.deepEqual([one.drops(), two.drops()], [{}, {}])
  })
}

test('by maglev a connection goes on when its client is led to another node', t => {
  // As where an address that clients know moves from one node to the other.
  const { lab, host, otherHost, here, there } = ingressLab({ isPreserving: true }, [0, 1],
    { scheduler: 'maglev' })
  const counts = [0, 0]
  for (const [from, to] of [[host, otherHost], [otherHost, host]] as const) {
    for (let port = 5000; port < 5030; port++) {
      from.send(syn(from, port))
      lab.run()
      const [first, task] = [here, there].flatMap(end => end.takeAll().map(one =>
        [one, end] as const))[0]!
      answer(task, first, SYN | ACK, GATEWAY)
      lab.run()
      from.takeAll()
      to.send(syn(to, port, CLIENT, NODE, ACK))
      lab.run()
      t.deepEqual(task.takeAll().map(plain), [plain(first)])
      answer(task, first, ACK, GATEWAY)
      lab.run()
      t.deepEqual([from.takeAll().length, to.takeAll().map(plain)],
        [0, [`${NODE}:8080 > 198.51.100.9:${port}`]])
      counts[task === here ? 0 : 1]! += 1
      to.send(syn(to, port, CLIENT, NODE, RST))
      lab.run()
      task.takeAll()
    }
    lab.advance(11_000)
  }
  t.true(Math.min(...counts) > 0, counts.join(' '))
})

test('a task that sees the node knows nothing of a connection that another node had', t => {
  const { lab, host, otherHost, there } = ingressLab({}, [1], { scheduler: 'maglev' })
  host.send(syn(host))
  lab.run()
  const [first] = there.takeAll()
  answer(there, first!, SYN | ACK, host)
  lab.run()
  otherHost.send(syn(otherHost, 5000, CLIENT, NODE, ACK))
  lab.run()
  const [middle] = there.takeAll()
  t.is(plain(middle!), '10.0.0.3:5000 > 10.0.0.7:80')
  answer(there, middle!, RST, otherHost) // as its kernel does
  lab.run()
  const [reset] = otherHost.takeAll()
  t.is(plain(reset!), `${NODE}:8080 > 198.51.100.9:5000`)
  t.is(reset![47]! & RST, RST)
})
