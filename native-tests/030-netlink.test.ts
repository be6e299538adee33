// Links, addresses, routes, neighbours and sysctls on the real kernel, compared with what `ip -j`
// says of the same namespace.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import type { Test } from 'tap'
import { exec } from '../src/base/exec.ts'
import { addresses, deleteAddress, setAddress } from '../src/kernel/netlink/address.ts'
import {
  addressOfDevice, defaultRouteDevice, deviceOfAddress,
} from '../src/kernel/netlink/device.ts'
import { deleteLink, linkByName, links, setLink } from '../src/kernel/netlink/link.ts'
import { deleteNeighbour, neighbours, setNeighbour } from '../src/kernel/netlink/neighbour.ts'
import { deleteRoute, routes, setRoute } from '../src/kernel/netlink/route.ts'
import { openRtnetlink, Rtnetlink } from '../src/kernel/netlink/rtnetlink.ts'
import { createNetns, deleteNetns, primeThreadPool, withNetns } from '../src/kernel/netns.ts'
import { readSysctl, writeSysctl } from '../src/kernel/sysctl.ts'

const NETNS = `tm-${process.pid}-netlink`
const NEIGHBOURS = 3000
const SOCKETS = 200
const CARRIER_TIMEOUT_MS = 5000

type Json = Record<string, unknown>
type Lab = { rt: Rtnetlink; t: Test; changes: () => number }

const skip = process.getuid?.() === 0 ? false : 'not root: this needs CAP_NET_ADMIN'

async function ip(words: string): Promise<string> {
  const result = await exec(['ip', '-n', NETNS, ...words.split(' ')])
  if (result.code !== 0) throw new Error(`ip ${words}: ${result.stderr}`)
  return result.stdout
}

async function ipJson(words: string): Promise<Json[]> {
  const text = await ip(`-d -j ${words}`)
  return text.trim() === '' ? [] : (JSON.parse(text) as Json[])
}

/** A namespace of its own with veth v0 to v1, both up, and a socket into it that counts changes. */
function lab(name: string, body: (lab: Lab) => Promise<void>): void {
  t.test(name, { skip }, async t => {
    await primeThreadPool()
    createNetns(NETNS)
    t.teardown(() => deleteNetns(NETNS))
    const rt = withNetns(NETNS, openRtnetlink)
    t.teardown(() => rt.close())
    let changes = 0
    rt.change = (...words) => {
      changes += 1
      return Rtnetlink.prototype.change.apply(rt, words)
    }
    await ip('link add v0 type veth peer name v1')
    await ip('link set v0 up')
    await ip('link set v1 up')
    await carriersUp()
    await body({ rt, t, changes: () => changes })
  })
}

/** The kernel notices the carrier of a veth a little after both ends are up. */
async function carriersUp(): Promise<void> {
  const endMs = performance.now() + CARRIER_TIMEOUT_MS
  for (;;) {
    const states = (await ipJson('link show type veth')).map(link => link['operstate'])
    if (states.every(state => state === 'UP')) return
    if (performance.now() > endMs) throw new Error(`veth: ${states.join(', ')}`)
  }
}

async function indexOf(rt: Rtnetlink, name: string): Promise<number> {
  const link = await linkByName(rt, name)
  if (link === null) throw new Error(`no ${name}`)
  return link.index
}

lab('links are as ip sees them', async ({ rt, t }) => {
  await ip('tuntap add dev tap0 mode tap')
  await ip('tuntap add dev tun0 mode tun')
  await ip('link add x0 type vxlan id 7 dstport 4789 dev v0')
  const seen = (await ipJson('link')).map(link => ({
    index: link['ifindex'],
    name: link['ifname'],
    mtu: link['mtu'],
    mac: link['link_type'] === 'none' ? null : link['address'],
    up: (link['flags'] as string[]).includes('UP'),
    running: link['operstate'] === 'UP',
    kind: (link['linkinfo'] as Json | undefined)?.['info_kind'] ?? null,
  }))
  t.strictSame(await links(rt), seen)
  t.strictSame(new Set(seen.map(link => link.kind)), new Set([null, 'tun', 'veth', 'vxlan']))
  for (const link of seen) t.strictSame(await linkByName(rt, String(link.name)), link)
  t.equal(await linkByName(rt, 'v2'), null)
  await t.rejects(linkByName(rt, 'sixteen-octets-x'), { code: 'TM_USAGE' })
})

lab('a link is set once', async ({ rt, t, changes }) => {
  await ip('link set v0 down')
  const wanted = { up: true, mtu: 1450, mac: '02:42:0A:00:01:08', name: 'eth0' }
  await setLink(rt, 'v0', wanted)
  const [link] = await ipJson('link show eth0')
  t.match(link, { mtu: 1450, address: '02:42:0a:00:01:08' })
  t.ok((link?.['flags'] as string[]).includes('UP'))
  await setLink(rt, 'eth0', wanted)
  await setLink(rt, 'eth0', {})
  t.equal(changes(), 1, 'what is so already is not sent')
  await setLink(rt, 'eth0', { up: false })
  t.match(await linkByName(rt, 'eth0'), { up: false, running: false })
  await setLink(rt, 'lo', { up: true })
  t.match(await linkByName(rt, 'lo'), { up: true, running: true })
  t.equal(changes(), 3)
})

lab('what cannot be set is refused by name', async ({ rt, t }) => {
  await t.rejects(setLink(rt, 'v2', { up: true }), { code: 'TM_NOT_FOUND', message: /v2/ })
  await t.rejects(setLink(rt, 'v0', { mtu: 20 }), {
    code: 'TM_KERNEL', errnoName: 'EINVAL', message: /^rtnetlink RTM_SETLINK \(v0 20\): EINVAL$/,
  })
  await t.rejects(setLink(rt, 'v0', { name: 'v1' }), { code: 'TM_KERNEL', errnoName: 'EEXIST' })
  await t.rejects(setLink(rt, 'v0', { name: 'a/b' }), { code: 'TM_USAGE' })
  await t.rejects(setLink(rt, 'v0', { mac: '02:42' }), { code: 'TM_USAGE' })
  t.match(await linkByName(rt, 'v0'), { name: 'v0', mtu: 1500, up: true }, 'nothing has changed')
})

lab('a link is deleted once', async ({ rt, t }) => {
  await deleteLink(rt, 'v0')
  t.strictSame((await ipJson('link')).map(link => link['ifname']), ['lo'])
  await deleteLink(rt, 'v0')
  await t.rejects(deleteLink(rt, 'lo'), { errnoName: 'ENOTSUP', message: /\(lo\)/ })
})

lab('addresses are set once and as ip sees them', async ({ rt, t, changes }) => {
  const index = await indexOf(rt, 'v0')
  await setLink(rt, 'lo', { up: true })
  const before = changes()
  for (let round = 0; round < 2; round += 1) {
    await setAddress(rt, index, '10.0.1.8/24')
    await setAddress(rt, index, 'fd00:0::8/64', { noDad: true })
    await setAddress(rt, 1, '127.0.0.11/32')
  }
  t.equal(changes() - before, 3, 'what is there already is not sent')
  const [link] = await ipJson('address show dev v0')
  t.match(link?.['addr_info'], [
    { local: '10.0.1.8', prefixlen: 24, broadcast: '10.0.1.255', scope: 'global' },
    { local: 'fd00::8', prefixlen: 64, nodad: true },
  ])
  t.notMatch(JSON.stringify(link), /fd00::8[^}]*"tentative":true/)
  t.match((await ipJson('address show dev lo'))[0]?.['addr_info'], [
    {}, { local: '127.0.0.11', prefixlen: 32, scope: 'host' }, {},
  ])
  const seen = (await ipJson('address')).flatMap(link => (link['addr_info'] as Json[])
    .map(address => `${link['ifindex']} ${address['local']}/${address['prefixlen']}`))
  const ours = (await addresses(rt)).map(one => `${one.index} ${one.address}/${one.prefix}`)
  t.strictSame(ours.toSorted(), seen.toSorted())
})

lab('an address is moved to another prefix, and deleted once', async ({ rt, t }) => {
  const index = await indexOf(rt, 'v0')
  const found = async () => (await addresses(rt)).filter(one => /^(10|fd)/.test(one.address))
  for (const cidr of ['10.0.1.8/16', '10.0.1.8/24', 'fd00::8/48', 'fd00::8/64']) {
    await setAddress(rt, index, cidr)
  }
  t.strictSame(await found(), [
    { index, family: 2, address: '10.0.1.8', prefix: 24 },
    { index, family: 10, address: 'fd00::8', prefix: 64 },
  ])
  for (let round = 0; round < 2; round += 1) {
    await deleteAddress(rt, index, '10.0.1.8/24')
    await deleteAddress(rt, index, 'fd00::8/64')
  }
  t.strictSame(await found(), [])
  await t.rejects(setAddress(rt, 999, '10.0.1.8/24'), {
    errnoName: 'ENODEV', message: /RTM_NEWADDR \(10\.0\.1\.8\/24 999\): ENODEV/,
  })
  for (const bad of ['10.0.1.8', '10.0.1.8/33', 'fe80::1/129', 'x/24']) {
    await t.rejects(setAddress(rt, index, bad), { code: 'TM_USAGE' })
  }
})

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

lab('a socket stays in its namespace and leaves no descriptor', async ({ rt, t }) => {
  deleteNetns(NETNS)
  t.strictSame((await links(rt)).map(link => link.name).toSorted(), ['lo', 'v0', 'v1'])
  const before = readdirSync('/proc/self/fd').length
  for (let count = 0; count < SOCKETS; count += 1) {
    const other = openRtnetlink()
    if (count % 50 === 0) t.equal((await linkByName(other, 'v0')), null, 'the host has no v0')
    other.close()
  }
  t.equal(readdirSync('/proc/self/fd').length, before)
  rt.close()
  await t.rejects(links(rt), { code: 'TM_CLOSED' })
})

lab('sysctls are those of the namespace', async ({ t }) => {
  const main = readFileSync('/proc/sys/net/ipv6/conf/default/accept_ra', 'utf8')
  withNetns(NETNS, () => {
    for (const [knob, value] of [
      ['accept_ra', 0], ['router_solicitations', 0], ['addr_gen_mode', 1], ['disable_ipv6', 1],
    ] as const) {
      writeSysctl(['ipv6', 'conf', 'v0', knob], value)
      t.equal(readSysctl(['ipv6', 'conf', 'v0', knob]), value)
    }
    writeSysctl(['ipv6', 'conf', 'default', 'accept_ra'], main.trim() === '0' ? 1 : 0)
    t.throws(() => writeSysctl(['ipv6', 'conf', 'v0', 'addr_gen_mode'], 77), {
      errnoName: 'EINVAL', message: /v0\/addr_gen_mode\): EINVAL/,
    })
  })
  t.equal(readFileSync('/proc/sys/net/ipv6/conf/default/accept_ra', 'utf8'), main)
  t.throws(() => readSysctl(['ipv6', 'conf', 'v0', 'accept_ra']), {
    errnoName: 'ENOENT', message: /no such device/,
  })
})
