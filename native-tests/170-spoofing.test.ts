// Who may send what: an endpoint only from its own addresses, an underlay host only if it is a
// given VTEP. All else is dropped, and counted under a name.
// May run beside another test.
import type { Test } from 'tap'
import {
  arp, BROADCAST, EXPERIMENT, frame, sendDatagrams, sendFrames, udpPacket, vxlan,
} from './lib/frames.ts'
import { useLab } from './lib/lab.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, needs: { tools: ['ping', 'curl', 'tcpdump', 'perl'] } })
const A = 'node1/a'
const A_IP = '10.0.1.11'
const A_MAC = '02:42:0a:00:01:0b'
const B_IP = '10.0.1.12'
const B_MAC = '02:42:0a:00:01:0c'
const STRANGER = '10.0.1.99'
const STRANGER_MAC = '02:42:de:ad:00:01'
const VNI = 4097

/** What was counted under `reason` on node1 while `body` ran, once it is `wanted` or more. */
async function dropsDuring(reason: string, wanted: number, body: () => Promise<unknown>) {
  const before = await lab.drops('node1', reason)
  await body()
  return until(`${wanted} more of drops.${reason}`, async () => {
    const more = await lab.drops('node1', reason) - before
    return more >= wanted && more
  })
}

/** Send one frame from `where` and see whether it leaves its host, by one that surely does. */
async function leaves(t: Test, where: string, octets: string): Promise<boolean> {
  const own = where === A ? A_MAC : '02:42:0a:00:01:15'
  const last = frame(BROADCAST, own, EXPERIMENT, '656e64')
  const capture = await tcpdump(lab, 'node2/b', 'eth0', `not ip6 and not ether dst ${A_MAC}`)
  await sendFrames(lab, where, 'eth0', octets)
  await sendFrames(lab, where, 'eth0', last)
  const seen = () => capture.frames().map(one => one.toString('hex'))
  await until('the last frame', () => seen().includes(last))
  await capture.stop()
  t.comment(`${seen().length} frames seen`)
  return seen().includes(octets)
}

lab.test('an endpoint, and one that is promiscuous', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.bareTask('node1', 'a', `mynet,ip=${A_IP}`)
  await lab.bareTask('node1', 'free', 'mynet,ip=10.0.1.21', '--promiscuous')
  await lab.bareTask('node2', 'b', `mynet,ip=${B_IP}`, '--promiscuous')
  await untilReached(lab, A, B_IP)
  await untilReached(lab, 'node1/free', B_IP)
  t.match(await lab.task('node1', 'free'), { promiscuous: true })
})

const spoofed: [name: string, reason: string, octets: string][] = [
  ['a MAC that is not its own', 'spoofed_mac',
    frame(B_MAC, STRANGER_MAC, EXPERIMENT, '')],
  ['an IPv4 address that is not its own', 'spoofed_address',
    frame(B_MAC, A_MAC, '0800', udpPacket(STRANGER, B_IP))],
  ['an IPv4 address that is not its own, in a VLAN', 'spoofed_address',
    frame(B_MAC, A_MAC, '0800', udpPacket(STRANGER, B_IP), '81000007')],
  ['ARP that says another has its MAC', 'spoofed_mac',
    frame(BROADCAST, A_MAC, '0806', arp(2, STRANGER_MAC, A_IP, B_IP))],
  ['ARP that takes the address of another', 'spoofed_address',
    frame(BROADCAST, A_MAC, '0806', arp(2, A_MAC, B_IP, A_IP))],
  ['a group address as its own', 'source_is_group',
    frame(B_MAC, '03:42:0a:00:01:0b', EXPERIMENT, '')],
]
for (const [name, reason, octets] of spoofed) {
  lab.test(`dropped: ${name}`, async t => {
    let left = true
    const more = await dropsDuring(reason, 1, async () => { left = await leaves(t, A, octets) })
    t.equal(more, 1, `drops.${reason}`)
    t.notOk(left)
  })
}

lab.test('nobody was deceived', async t => {
  t.match(await lab.out('node2/b', 'ip', 'neigh', 'show', A_IP), A_MAC)
  t.equal((await ping(lab, 'node2/b', A_IP)).received, 1)
})

for (const [name, reason, octets] of spoofed.filter(row => row[1] !== 'source_is_group')) {
  lab.test(`passed by a promiscuous endpoint: ${name}`, async t => {
    const before = await lab.drops('node1', reason)
    t.ok(await leaves(t, 'node1/free', octets))
    t.equal(await lab.drops('node1', reason), before)
  })
}

lab.test('the same with ordinary programs: an address that was added', async t => {
  await lab.out('node2/b', 'ip', 'neigh', 'flush', 'all') // it believed what it was just told
  await lab.out(A, 'ip', 'address', 'add', `${STRANGER}/24`, 'dev', 'eth0')
  await lab.out('node1/free', 'ip', 'address', 'add', '10.0.1.98/24', 'dev', 'eth0')
  await dropsDuring('spoofed_address', 1, async () => {
    t.equal((await ping(lab, A, B_IP, '-c1', '-W1', '-I', STRANGER)).received, 0)
  })
  t.equal((await ping(lab, 'node1/free', B_IP, '-c1', '-W2', '-I', '10.0.1.98')).received, 1)
  t.equal((await ping(lab, A, B_IP, '-c1', '-W2', '-I', A_IP)).received, 1, 'its own goes on')
})

lab.test('the same with ordinary programs: a macvlan device', async t => {
  const macvlan = (where: string, address: string) => lab.sh(where, `
    ip link add link eth0 name mv0 type macvlan mode bridge
    ip address add ${address}/32 dev mv0
    ip link set mv0 up
    ip route add ${B_IP} dev mv0 src ${address} metric 1`)
  await macvlan(A, '10.0.1.97')
  await macvlan('node1/free', '10.0.1.96')
  await dropsDuring('spoofed_mac', 1, async () => {
    t.equal((await ping(lab, A, B_IP, '-c1', '-W1', '-I', 'mv0')).received, 0)
  })
  t.equal((await ping(lab, 'node1/free', B_IP, '-c1', '-W2', '-I', 'mv0')).received, 1)
  for (const where of [A, 'node1/free']) await lab.out(where, 'ip', 'link', 'delete', 'mv0')
}, { links: ['macvlan'] })

const inner = frame(A_MAC, STRANGER_MAC, EXPERIMENT, '68656c6c6f')
const NODE1 = '192.168.56.11'
const refused: [name: string, reason: string, host: string, datagram: string][] = [
  ['from a host that is no VTEP', 'unknown_vtep', 'client', vxlan(VNI, inner)],
  ['of a network that is not here', 'bad_vni', 'node2', vxlan(9999, inner)],
  ['with the I flag clear', 'bad_flags', 'node2', vxlan(VNI, inner, 'f7')],
  ['that is cut within the VXLAN header', 'malformed', 'node2', '08000000001001'],
  ['that is cut within the Ethernet header', 'malformed', 'node2',
    vxlan(VNI, inner).slice(0, 40)],
  ['with a MAC of ours as its source', 'source_is_local', 'node2',
    vxlan(VNI, frame(A_MAC, '02:42:0a:00:01:15', EXPERIMENT, ''))],
  ['with a group address as its source', 'source_is_group', 'node2',
    vxlan(VNI, frame(A_MAC, '03:42:0a:00:01:15', EXPERIMENT, ''))],
]
for (const [name, reason, host, datagram] of refused) {
  lab.test(`a datagram ${name} is drops.${reason}`, async t => {
    const capture = await tcpdump(lab, A, 'eth0', `ether proto 0x${EXPERIMENT}`)
    const more = await dropsDuring(reason, 3, () =>
      sendDatagrams(lab, host, NODE1, datagram, datagram, datagram))
    t.equal(more, 3)
    await sendDatagrams(lab, 'node2', NODE1, vxlan(VNI, inner))
    await capture.atLeast(1)
    await capture.stop()
    t.same(capture.frames().map(one => one.toString('hex')), [inner], 'only the good one')
  })
}

lab.test('reserved bits are ignored: RFC 7348 section 5', async t => {
  const capture = await tcpdump(lab, A, 'eth0', `ether proto 0x${EXPERIMENT}`)
  await sendDatagrams(lab, 'node2', NODE1, `ffabcdef001001ff${inner}`)
  await capture.atLeast(1)
  await capture.stop()
  t.same(capture.frames().map(one => one.toString('hex')), [inner])
})

lab.test('a frame for a MAC that is not here is for promiscuous endpoints, or dropped', async t => {
  const lost = frame('02:42:0a:00:01:77', STRANGER_MAC, EXPERIMENT, '6c6f7374')
  const before = await lab.drops('node1', 'unknown_mac')
  const capture = await tcpdump(lab, 'node1/free', 'eth0', `ether proto 0x${EXPERIMENT}`)
  await sendDatagrams(lab, 'node2', NODE1, vxlan(VNI, lost))
  await capture.atLeast(1)
  await capture.stop()
  t.same(capture.frames().map(one => one.toString('hex')), [lost])
  t.equal(await lab.drops('node1', 'unknown_mac'), before)
  await lab.tapmesh('node1', 'rm', 'free')
  await lab.out('node2/b', 'ip', 'neigh', 'flush', 'all') // or it would ask where `free` is
  t.equal(await dropsDuring('unknown_mac', 1, () =>
    sendDatagrams(lab, 'node2', NODE1, vxlan(VNI, lost))), 1)
})

lab.test('every drop has a name in status --json', async t => {
  const { drops } = JSON.parse(await lab.tapmesh('node1', 'status', '--json')) as
    { drops: Record<string, number> }
  const reasons = [...spoofed, ...refused].map(row => row[1])
  for (const reason of reasons) t.ok(drops[reason]! > 0, reason)
  t.match(await lab.tapmesh('node1', 'status'), /^DROPPED +COUNT\n[^]*^unknown_vtep +3$/m)
})
