// What goes wrong with a cluster, and what is said of it: one line, and nothing half-made.
// May run beside another test; takes long.
import { certify } from '../src/cluster/identity/ca.ts'
import {
  formatPem, readAuthority, readNodeCertificate, tryPem, tryPrivateKey,
} from '../src/cluster/identity/certificates.ts'
import { clusterOf, nodesOf, tokenOf, untilEqual, untilWhole } from './lib/cluster.ts'
import { useLab } from './lib/lab.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 3, peers: 'none', needs: { tools: ['curl', 'tcpdump', 'perl'] } })
const STATE = '/var/lib/tapmesh'
const CONFIG = '/etc/tapmesh/tapmesh.yaml'
const SEED = '192.168.56.11'

lab.test('a port that is taken: nothing of the cluster is left', async t => {
  const taker = lab.start('node1', 'perl', '-MIO::Socket::INET', '-e',
    `my $s = IO::Socket::INET->new(LocalAddr => '${SEED}:7946', Proto => 'udp') or die;`
    + 'print STDERR "taken\\n"; sleep 600')
  await until('the port is taken', () => taker.stderr.includes('taken'))
  const answer = await lab.run('node1', 'tapmesh', 'init')
  t.equal(answer.code, 1)
  t.match(answer.stderr, /^tapmesh: gossip cannot listen on 192\.168\.56\.11:7946 .*EADDRINUSE.*\n$/)
  t.equal(await clusterOf(lab, 'node1'), null)
  t.equal(await lab.sh('node1', `find ${STATE} -name identity -o -name 'cluster.db*'`), '')
  await taker.stop()
})

lab.test('an insecure cluster can be read by everybody, and says so', async t => {
  await lab.tapmesh('node1', 'init', '--insecure')
  t.match(await lab.tapmesh('node1', 'status'), /\nCluster .*, in the clear\n/)
  const token = await tokenOf(lab, 'node1', 'manager')
  const watch = lab.start('node1', 'tcpdump', '--immediate-mode', '-Z', 'root', '-lnni', 'eth1',
    '-A', 'udp', 'port', '7946')
  await until('tcpdump listens', () => watch.stderr.includes('listening on'))
  await lab.tapmesh('node2', 'join', '--token', token, SEED)
  await until('the name of a node is seen', () => /node[12]/.test(watch.stdout))
  await watch.stop()
  const refused = await lab.run('node1', 'tapmesh', 'cluster', 'rotate-keys')
  t.equal(refused.code, 1)
  t.match(refused.stderr, /no keys: it is insecure/)
  await lab.tapmesh('node2', 'leave', '--force')
  await lab.tapmesh('node1', 'leave', '--force')
  t.equal(await clusterOf(lab, 'node1'), null)
})

lab.test('an address that is not the underlay is refused, with the way to have it', async t => {
  const answer = await lab.run('node1', 'tapmesh', 'init', '--advertise-addr', 'eth0')
  t.equal(answer.code, 1)
  t.match(answer.stderr, /tunnels of this daemon begin at 192\.168\.56\.11 \(eth1\), not at eth0/)
  t.match(await lab.tapmesh('node1', 'init', '--advertise-addr', 'eth1'), /192\.168\.56\.11:7946/)
})

lab.test('a second node of one name waits, says so, and is refused in the end', async t => {
  const token = await tokenOf(lab, 'node1', 'worker')
  await lab.tapmesh('node2', 'join', '--token', token, SEED)
  await lab.sh('node3', `sed -i 's/name: node3/name: node2/' ${CONFIG}; grep -q node2 ${CONFIG}`)
  await lab.daemon('node3', 'restart')
  const answer = await lab.run('node3', 'tapmesh', 'join', '--token', token, SEED)
  t.equal(answer.code, 1)
  t.match(answer.stderr, /a live node of the cluster has the name node2; set node\.name/)
  t.match(await lab.log('node3'), /joining waits/)
  t.equal(await clusterOf(lab, 'node3'), null)
  await lab.sh('node3', `sed -i 's/name: node2/name: node3/' ${CONFIG}`)
  await lab.daemon('node3', 'restart')
  await lab.tapmesh('node3', 'join', '--token', token, SEED)
  await untilWhole(lab)
  await untilEqual(lab)
})

lab.test('a damaged store is named, and nothing starts over it', async t => {
  await lab.daemon('node2', 'stop')
  await lab.sh('node2', `cp -a ${STATE} /var/lib/kept; rm -f ${STATE}/cluster.db-*
    head -c 3000 /dev/urandom | dd of=${STATE}/cluster.db bs=1 seek=4096 conv=notrunc status=none`)
  const started = await lab.run('node2', 'timeout', '20', 'tapmesh', 'daemon', '--config', CONFIG)
  t.equal(started.code, 1)
  t.match(started.stderr, new RegExp(`${STATE}/cluster\\.db`), 'it names the file')
  t.equal(await lab.sh('node2', `rm -rf ${STATE}; mv /var/lib/kept ${STATE}; echo back`), 'back\n')
  await lab.daemon('node2', 'start')
  await untilWhole(lab)
})

lab.test('a damaged identity is named, too', async t => {
  await lab.daemon('node3', 'stop')
  await lab.sh('node3', `cp -a ${STATE} /var/lib/kept; echo rubbish >${STATE}/identity/node.crt`)
  const started = await lab.run('node3', 'timeout', '20', 'tapmesh', 'daemon', '--config', CONFIG)
  t.equal(started.code, 1)
  t.match(started.stderr, new RegExp(`${STATE}/identity/node\\.crt is damaged`))
  await lab.sh('node3', `rm -rf ${STATE}; mv /var/lib/kept ${STATE}`)
  await lab.daemon('node3', 'start')
  await untilWhole(lab)
  t.equal((await nodesOf(lab, 'node1')).length, 3)
})

/** A certificate for the node, as the authority would have given it 100 days ago. */
async function expiredCertificate(node: string): Promise<string> {
  const read = (where: string, name: string) => lab.sh(where, `cat ${STATE}/identity/${name}`)
  const authority = readAuthority(tryPem(await read('node1', 'ca.crt'))!)!
  const authorityKey = tryPrivateKey(await read('node1', 'ca.key'))!
  const now = readNodeCertificate(authority, tryPem(await read(node, 'node.crt'))!)
  if (typeof now === 'string') throw new Error(now)
  const before = await certify(authority, authorityKey, now, now.publicKey,
    Date.now() - 100 * 86_400_000)
  return formatPem(before.octets)
}

lab.test('who has an expired certificate lets nobody in, and is told to join again', async t => {
  await lab.tapmesh('node3', 'leave')
  const token = await tokenOf(lab, 'node1', 'worker')
  const expired = await expiredCertificate('node2')
  await lab.daemon('node2', 'stop')
  await lab.sh('node2', `cat >${STATE}/identity/node.crt <<'EOF'\n${expired}EOF`)
  await lab.daemon('node2', 'start')
  const answer = await lab.run('node3', 'tapmesh', 'join', '--token', token, '192.168.56.12')
  t.equal(answer.code, 1)
  t.match(answer.stderr, /^tapmesh: the certificate of node2 .* expired at .*; call .*\n$/)
  t.equal(await clusterOf(lab, 'node3'), null)
  t.equal(await lab.sh('node3', `find ${STATE} -name identity -o -name 'cluster.db*'`), '')
  await until('node2 says why it gets no other', async () =>
    /certificate of node2 expired at .*join again with a token/.test(await lab.log('node2')))
  await lab.tapmesh('node3', 'join', '--token', token, SEED)
  await untilWhole(lab)
})

lab.test('the last manager leaves only by force', async t => {
  const answer = await lab.run('node1', 'tapmesh', 'leave')
  t.equal(answer.code, 1)
  t.match(answer.stderr, /last manager.*--force/)
})
