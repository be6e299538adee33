// Routes, the underlay device and neighbours on the real kernel, compared with what `ip -j` says
// of the same namespace.
// May run beside another test.
import { addresses, setAddress } from '../src/kernel/netlink/address.ts'
import {
  addressOfDevice, defaultRouteDevice, deviceOfAddress,
} from '../src/kernel/netlink/device.ts'
import { links } from '../src/kernel/netlink/link.ts'
import { deleteNeighbour, neighbours, setNeighbour } from '../src/kernel/netlink/neighbour.ts'
import { deleteRoute, routes, setRoute } from '../src/kernel/netlink/route.ts'
import { addRule, deleteRule, isSameRule, rules } from '../src/kernel/netlink/rule.ts'
import { indexOf, ip, ipJson, lab } from './030-netlink.test-kit.ts'

const NEIGHBOURS = 3000

lab('routes of every kind are as ip sees them', async ({ rt, t }) => {
  await ip('address add 10.0.2.15/24 dev v0')
  await ip('address add 192.168.56.11/24 dev v1')
  const [v0, v1] = [await indexOf(rt, 'v0'), await indexOf(rt, 'v1')]
  await ip('route add default via 10.0.2.2 dev v0 metric 200')
  await ip('route add default via 192.168.56.1 dev v1 metric 100')
  await ip('route add blackhole 10.9.0.0/16')
  await ip('route add 10.8.0.0/16 table 1000 via 10.0.2.2 src 10.0.2.15')
  await ip('route add 10.7.0.0/16 nexthop via 10.0.2.3 dev v0 nexthop via 192.168.56.2 dev v1')
  await ip('route add 10.6.0.0/16 via inet6 fe80::7 dev v1')
  const plain = { gateway: null, device: v0, table: 254, source: null, metric: 0 }
  const wanted = [
    { ...plain, destination: '0.0.0.0/0', gateway: '10.0.2.2', metric: 200 },
    { ...plain, destination: '0.0.0.0/0', gateway: '192.168.56.1', metric: 100, device: v1 },
    { ...plain, destination: '10.0.2.0/24', source: '10.0.2.15' },
    { ...plain, destination: '10.6.0.0/16', gateway: 'fe80::7', device: v1 },
    { ...plain, destination: '10.7.0.0/16', gateway: '10.0.2.3' },
    {
      ...plain, destination: '10.8.0.0/16', gateway: '10.0.2.2', table: 1000, source: '10.0.2.15',
    },
    { ...plain, destination: '10.9.0.0/16', device: null },
    { ...plain, destination: '192.168.56.0/24', source: '192.168.56.11', device: v1 },
  ]
  const seen = await routes(rt)
  t.strictSame(new Set(seen), new Set(wanted))
  const count = (await ipJson('-4 route show table all')).filter(one => one['table'] !== 'local')
  t.equal(seen.length, count.length)
  t.equal(await defaultRouteDevice(rt), 'v1', 'the lowest metric counts')
})

lab('a route is set once, replaced, and deleted once', async ({ rt, t, changes }) => {
  const v0 = await indexOf(rt, 'v0')
  await setAddress(rt, v0, '10.0.2.15/24')
  const before = changes()
  t.equal(await defaultRouteDevice(rt), null)
  for (let round = 0; round < 2; round += 1) {
    await setRoute(rt, { destination: '0.0.0.0/0', device: v0, gateway: '10.0.2.2' })
    await setRoute(rt, { destination: '10.5.0.9/16', device: v0 })
    await setRoute(rt, { destination: '10.4.0.0/16', device: v0, source: '10.0.2.15', table: 1000 })
  }
  t.equal(changes() - before, 3)
  t.equal(await defaultRouteDevice(rt), 'v0')
  const onLink = { dev: 'v0', scope: 'link', protocol: 'static' }
  t.match(await ipJson('route show 10.5.0.0/16'), [onLink])
  t.match(await ipJson('route show table 1000'), [{ dst: '10.4.0.0/16', prefsrc: '10.0.2.15' }])
  await setRoute(rt, { destination: '10.5.0.0/16', device: v0, gateway: '10.0.2.3' })
  t.match(await ipJson('route show 10.5.0.0/16'), [{ dev: 'v0', gateway: '10.0.2.3' }])
  for (let round = 0; round < 2; round += 1) {
    await deleteRoute(rt, { destination: '10.5.0.0/16', device: v0, gateway: '10.0.2.3' })
    await deleteRoute(rt, { destination: '10.4.0.0/16', device: v0, table: 1000 })
  }
  t.strictSame((await routes(rt)).map(route => route.destination), ['0.0.0.0/0', '10.0.2.0/24'])
  await ip('route add 10.3.0.0/16 via 10.0.2.2')
  await deleteRoute(rt, { destination: '10.3.0.0/16', device: v0 })
  t.strictSame(await ipJson('route show 10.3.0.0/16'), [], "another program's route can go as well")
  await t.rejects(setRoute(rt, { destination: '10.2.0.0/16', device: v0, gateway: '10.66.0.1' }), {
    errnoName: 'ENETUNREACH', message: /10\.2\.0\.0\/16/,
  })
})

lab('the underlay device is found by address and by name', async ({ rt, t }) => {
  t.equal(await deviceOfAddress(rt, '192.168.56.11'), null)
  await ip('address add 192.168.56.11/24 dev v1')
  await ip('address add 192.168.56.99/24 dev v1')
  await ip('link set v1 mtu 1400')
  t.strictSame(await deviceOfAddress(rt, '192.168.56.11'), { device: 'v1', mtu: 1400, prefix: 24 })
  t.strictSame(await addressOfDevice(rt, 'v1'), { address: '192.168.56.11', prefix: 24 })
  t.equal(await addressOfDevice(rt, 'v0'), null)
  t.equal(await addressOfDevice(rt, 'v2'), null)
  await ip('link add d0 type veth peer name d1')
  await ip('address add 192.168.56.99/32 dev d0')
  t.match(await deviceOfAddress(rt, '192.168.56.99'), { device: 'v1' }, 'd0 is down')
})

lab('neighbours are set, and as ip sees them', async ({ rt, t }) => {
  const v0 = await indexOf(rt, 'v0')
  const given = [
    { index: v0, address: '10.0.1.9', mac: '02:42:0a:00:01:09', permanent: true },
    { index: v0, address: 'fd00::9', mac: '02:42:0a:00:01:09', permanent: true },
  ]
  for (const { address } of given) await setNeighbour(rt, v0, address, '02:42:0a:00:01:ff')
  for (const { address, mac } of given) await setNeighbour(rt, v0, address, mac)
  t.strictSame(new Set(await neighbours(rt)), new Set(given))
  const seen = (await ipJson('neighbour')).map(one => `${one['dst']} ${one['lladdr']}`)
  t.strictSame(seen.toSorted(), given.map(one => `${one.address} ${one.mac}`))
  for (let round = 0; round < 2; round += 1) {
    for (const { address } of given) await deleteNeighbour(rt, v0, address)
  }
  t.notOk((await neighbours(rt)).some(one => one.permanent))
  await t.rejects(setNeighbour(rt, 999, '10.0.1.9', '02:42:0a:00:01:09'), {
    errnoName: 'ENODEV', message: /RTM_NEWNEIGH/,
  })
})

lab('long answers are whole, and many at once do not mix', async ({ rt, t }) => {
  const v0 = await indexOf(rt, 'v0')
  const octets = Array.from({ length: NEIGHBOURS }, (_, at) => [at >>> 8, at & 255] as const)
  await Promise.all(octets.map(([high, low]) =>
    setNeighbour(rt, v0, `10.1.${high}.${low}`, '02:42:0a:00:01:09')))
  const answers = await Promise.all([neighbours(rt), links(rt), neighbours(rt), addresses(rt)])
  t.strictSame(answers.map(answer => answer.length > 0), [true, true, true, true])
  t.equal(new Set(answers[0].map(one => one.address)).size, NEIGHBOURS)
  t.equal(answers[2].length, NEIGHBOURS)
})

lab('rules are set once, told apart, and deleted once', async ({ rt, t }) => {
  await ip('rule add pref 50 from 10.1.0.0/16 table 7')
  const ours = { priority: 99, table: 4096, protocol: 6, port: 8080 }
  const bySource = { priority: 98, table: 4097, source: '10.0.0.7' }
  for (let round = 0; round < 2; round += 1) {
    await addRule(rt, ours)
    await addRule(rt, bySource)
  }
  const seen = await rules(rt)
  t.equal(seen.filter(rule => isSameRule(rule, ours)).length, 1)
  t.equal(seen.filter(rule => isSameRule(rule, bySource)).length, 1)
  t.ok(seen.some(rule => isSameRule(rule, { priority: 0, table: 255 })))
  t.equal(seen.find(rule => rule.priority === 50)?.isPlain, false)
  const shown = await ip('rule list')
  t.match(shown, /^99:\s+from all ipproto tcp dport 8080 lookup 4096/m)
  t.match(shown, /^98:\s+from 10\.0\.0\.7 lookup 4097/m)
  for (let round = 0; round < 2; round += 1) {
    await deleteRule(rt, ours)
    await deleteRule(rt, bySource)
  }
  t.equal((await rules(rt)).length, seen.length - 2)
})
