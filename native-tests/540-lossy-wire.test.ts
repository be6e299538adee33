// A wire that loses 1 % and reorders 2 % of the datagrams: TCP completes, octet for octet, and the
// daemons have nothing to complain of. Kernels without netem can do this too, for the wire is a
// program (lib/lossy-relay.ts), which each node takes for the other one.
// May run beside another test.
import { useLab } from './lib/lab.ts'
import { countsOf, startRelay } from './lib/lossy-relay.ts'
import { download, streamHash, streamServer, untilStreams, upload } from './lib/stream-server.ts'
import { iperf, iperfServer, ping } from './lib/traffic.ts'

const lab = useLab({ nodes: 2, needs: { tools: ['ping', 'curl', 'iperf3'] } })
const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const RELAY = '192.168.56.1'
const NODES = ['192.168.56.11', '192.168.56.12'] as const
const B = 'node2/b'
const A_ADDRESS = '10.0.1.11'
const URL = `http://${A_ADDRESS}:8000`
const OCTETS = 10_000_000
const HASH = streamHash(OCTETS)

lab.test('two nodes that know only the relay', async () => {
  for (const node of lab.nodes) {
    for (const { address } of (await lab.status(node)).vteps) {
      await lab.tapmesh(node, 'vtep', 'rm', address)
    }
    await lab.tapmesh(node, 'vtep', 'add', RELAY)
  }
  await lab.createNetwork('mynet', lab.nodes)
  await lab.runTask('node1', 'a', `mynet,ip=${A_ADDRESS}`, ...streamServer(8000))
  await lab.bareTask('node2', 'b', 'mynet,ip=10.0.1.12')
})

const WIRES = [
  ['that loses', { loss: 10, reorder: 0 }], ['that reorders', { loss: 0, reorder: 20 }],
  ['that does both', { loss: 10, reorder: 20 }],
] as const
for (const [what, faults] of WIRES) {
  lab.test(`TCP both ways over a wire ${what}`, async t => {
    const relay = await startRelay(lab, 'client', NODES, { ...faults, seed: SEED })
    await untilStreams(lab, B, URL)
    t.equal(await download(lab, B, URL, OCTETS), HASH)
    t.equal(await upload(lab, B, URL, OCTETS), HASH)
    const url6 = 'http://[fe80::42:aff:fe00:10b%25eth0]:8000'
    t.equal(await download(lab, B, url6, OCTETS), HASH)
    const server = await iperfServer(lab, 'node1/a')
    const { end } = await iperf(lab, B, A_ADDRESS, '-n', String(OCTETS), '-P', '8')
    t.ok(end.sum_sent.bytes >= OCTETS, `${end.sum_sent.bytes} octets`)
    await server.stop()
    const { received } = await ping(lab, B, A_ADDRESS, '-c20', '-i0.02', '-W1', '-s', '4000')
    t.ok(received > 10, `${received} of 20 pings of 4000 octets`)
    const { passed, lost, reordered } = await countsOf(relay)
    t.ok(passed > 4 * OCTETS / 1400, `TAPMESH_SEED=${SEED}: ${passed} passed`)
    t.ok(faults.loss === 0 || lost > passed / 200, `${lost} lost`)
    t.ok(faults.reorder === 0 || reordered > passed / 200, `${reordered} reordered`)
    await relay.stop()
  })
}

lab.test('the daemons dropped nothing', async t => {
  for (const node of lab.nodes) {
    const dropped = Object.entries((await lab.status(node)).drops).filter(([reason, count]) =>
      count > 0 && reason !== 'unknown_mac' && reason !== 'underlay_receive_full')
    t.same(dropped, [], node)
  }
})
