// Links, addresses and sysctls on the real kernel, compared with what `ip -j` says of the same
// namespace.
// May run beside another test.
import { readdirSync, readFileSync } from 'node:fs'
import { addresses, deleteAddress, setAddress } from '../src/kernel/netlink/address.ts'
import { deleteLink, linkByName, links, setLink } from '../src/kernel/netlink/link.ts'
import { openRtnetlink } from '../src/kernel/netlink/rtnetlink.ts'
import { deleteNetns, withNetns } from '../src/kernel/netns.ts'
import { readSysctl, writeSysctl } from '../src/kernel/sysctl.ts'
import type { Json } from './030-netlink.test-kit.ts'
import { indexOf, ip, ipJson, lab, NETNS } from './030-netlink.test-kit.ts'

const SOCKETS = 200

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
