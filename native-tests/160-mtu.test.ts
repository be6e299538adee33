// Lengths: what fits the MTU passes, what does not is answered so that its sender learns the MTU.
// May run beside another test.
import { useLab } from './lib/lab.ts'
import { makeOctets, SERVER, sha256 } from './lib/octets-server.ts'
import { ping, untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, needs: { tools: ['ping', 'curl'] } })
const A = 'node1/a'
const B = '10.0.1.12'
const B_IPV6 = 'fe80::42:aff:fe00:10c%eth0'
/** Echo requests of 1450 and 1451 octets: 20 (or 40) of IP and 8 of ICMP around the data. */
const FITS = 1422
const FITS_IPV6 = 1402
const ONCE = ['-c1', '-W2', '-M', 'do']

/** The daemon gives a device its MTU again after a while, so this is done anew before each use. */
async function setMtu(where: string, octets: number): Promise<void> {
  await lab.sh(where,
    `ip link set eth0 mtu ${octets}; ip route flush cache; ip -6 route flush cache`)
}

lab.test('tasks have the MTU of the underlay less 50', async t => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.bareTask('node1', 'a', 'mynet,ip=10.0.1.11')
  await lab.runTask('node2', 'b', `mynet,ip=${B}`, process.execPath, SERVER, '8000')
  t.match(await lab.out(A, 'ip', 'link', 'show', 'eth0'), 'mtu 1450')
  await untilReached(lab, A, B)
})

lab.test('ping -M do: 1422 octets of data pass, 1423 do not', async t => {
  t.equal((await ping(lab, A, B, ...ONCE, '-s', String(FITS))).received, 1)
  const late = await ping(lab, A, B, ...ONCE, '-s', String(FITS + 1))
  t.equal(late.received, 0)
  t.match(late.text, 'mtu=1450')
  t.equal((await ping(lab, A, B_IPV6, ...ONCE, '-s', String(FITS_IPV6))).received, 1)
  t.equal((await ping(lab, A, B_IPV6, ...ONCE, '-s', String(FITS_IPV6 + 1))).received, 0)
})

lab.test('ping without -M do: longer ones pass in parts', async t => {
  t.equal((await ping(lab, A, B, '-c1', '-W2', '-M', 'dont', '-s', '8000')).received, 1)
  t.equal((await ping(lab, A, B_IPV6, '-c1', '-W2', '-M', 'dont', '-s', '8000')).received, 1)
})

lab.test('a task that raises its MTU is told the right one, in ICMP', async t => {
  const before = await lab.status('node1')
  const told = async (target: string, octets: number) => {
    await setMtu(A, 1500)
    return (await ping(lab, A, target, ...ONCE, '-s', String(octets))).text
  }
  const needed = /^From 10\.0\.1\.12 .*Frag needed.*\(mtu = 1450\)/m
  const tooBig = /^From fe80::42:aff:fe00:10c.*Packet too big: mtu=1450/m
  await until('fragmentation needed', async () => needed.test(await told(B, FITS + 1)))
  await until('packet too big', async () => tooBig.test(await told(B_IPV6, FITS_IPV6 + 1)))
  const after = await lab.status('node1')
  t.ok(after.counters['icmp.too_large_sent']! >= before.counters['icmp.too_large_sent']! + 2)
  t.ok(after.drops['too_large']! >= before.drops['too_large']! + 2)
})

lab.test('the MTU that was told is used: the next one fails at home', async t => {
  // Between the two the daemon may give the device its MTU again, and then nothing is to be told.
  const local = await until('a local error, and what is remembered', async () => {
    await setMtu(A, 1500)
    await ping(lab, A, B, ...ONCE, '-s', String(FITS + 1))
    const { text } = await ping(lab, A, B, ...ONCE, '-s', String(FITS + 1))
    return (await lab.out(A, 'ip', 'route', 'get', B)).includes('mtu 1450') && text
  })
  t.match(local, /message too long, mtu=1450/)
})

lab.test('TCP finds its way with both ends at 1500', async t => {
  await setMtu(A, 1500)
  await setMtu('node2/b', 1500)
  const got = await lab.sh(A, `curl -sS --fail --max-time 20 http://${B}:8000/ | sha256sum`)
  t.equal(got, `${sha256(makeOctets())}  -\n`)
})

lab.test('what does not fit the underlay is dropped and counted, not cut in parts', async t => {
  const before = await lab.drops('node1', 'underlay_too_large')
  await lab.out('node1', 'ip', 'link', 'set', 'eth1', 'mtu', '1400')
  t.equal((await ping(lab, A, B, '-c1', '-W1', '-s', String(FITS))).received, 0)
  t.ok(await lab.drops('node1', 'underlay_too_large') > before)
  t.equal((await ping(lab, A, B, ...ONCE, '-s', '1322')).received, 1, 'what fits still passes')
  await lab.out('node1', 'ip', 'link', 'set', 'eth1', 'mtu', '1500')
  t.equal((await ping(lab, A, B, ...ONCE, '-s', String(FITS))).received, 1)
})

lab.test('a network may have a smaller MTU, but not a larger one', async t => {
  await lab.tapmesh('node1', 'network', 'create', '--mtu', '1400', 'small')
  await lab.bareTask('node1', 'small', 'small')
  t.match(await lab.out('node1/small', 'ip', 'link', 'show', 'eth0'), 'mtu 1400')
  const large = await lab.run('node1', 'tapmesh', 'network', 'create', '--mtu', '1451', 'large')
  t.match(large, { code: 2, stderr: /--mtu 1451.*576 to 1450.*eth1/ })
})
