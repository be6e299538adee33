// What leads connections to backends: the ways that a kernel's VXLAN has, without a daemon of ours.
import { writeFileSync } from 'node:fs'
import { BACKEND, type Call, PORT } from './connect.ts'
import { fileIn, type Host, type Hosts, type Netns } from './hosts.ts'
import { firstMatch } from './machine.ts'
import {
  addBridge, addBridged, BRIDGE, type End, onBoth, type Subject,
} from './subjects.ts'

/**
 * `vip`: an endpoint of host 1 calls a virtual address of the overlay, its backends are on host 2.
 * `ingress`: host 1 calls a port of host 2 by the underlay, and the backends are on host 1, so that
 * each connection crosses the overlay, too.
 */
export type Way = 'vip' | 'ingress'
export const WAYS: readonly Way[] = ['vip', 'ingress']

export type Balancer = Readonly<Pick<Subject, 'name' | 'needs' | 'version'> & {
  /** For the report: what it is. */
  about: string
  ways: readonly Way[]
  backends: number
  raise(hosts: Hosts['pair'], way: Way): Promise<Call>
}>

export const BACKENDS = 2
/** In the subnet of the endpoints, and none of theirs. */
const VIRTUAL_ADDRESS = '10.77.0.100'
const GATEWAY = '10.77.0.1'
const HAPROXY_FILE = '/run/haproxy.cfg'

type Bridged = Readonly<{ from: Call['from']; backends: readonly End[] }>

export const direct: Balancer = {
  name: 'direct', needs: {}, ways: ['vip'], backends: 1,
  about: 'no balancing: the client calls one backend by its own address, over the kernel\'s VXLAN '
    + 'device with a bridge and veth pairs. It is what the others are led over',
  version: async () => '',
  async raise(hosts, way) {
    const { from, backends: [backend] } = await raiseBridged(hosts, way, 1)
    return { from, address: backend!.address }
  },
}

export const nftables: Balancer = {
  name: 'nftables', needs: { nft: 'nftables', sysctl: 'procps' }, ways: WAYS, backends: BACKENDS,
  about: 'DNAT with `numgen inc` in the kernel. VIP: in the client\'s own namespace, hook output, '
    + 'so that no further hop is added. Ingress: hook prerouting on the asked host, and '
    + 'masquerading towards the overlay',
  version: () => firstMatch(['nft', '--version'], /nftables v(\S+)/),
  async raise(hosts, way) {
    const { from, backends } = await raiseBridged(hosts, way, BACKENDS)
    const [, two] = hosts
    const map = backends.map(({ address }, n) => `${n} : ${address}`).join(', ')
    const dnat = (address: string) => `ip daddr ${address} tcp dport ${PORT} `
      + `dnat to numgen inc mod ${BACKENDS} map { ${map} }`
    if (way === 'vip') {
      await setRules(from.host, from.netns,
        `chain calls { type nat hook output priority -100; ${dnat(VIRTUAL_ADDRESS)}; }\n`)
      return { from, address: VIRTUAL_ADDRESS }
    }
    await joinBridge(two, GATEWAY)
    await two.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
    await setRules(two, null,
      `chain calls { type nat hook prerouting priority -100; ${dnat(two.address)}; }\n`
      + `chain names { type nat hook postrouting priority 100; oifname "${BRIDGE}" masquerade; }\n`)
    return { from, address: two.address }
  },
}

export const haproxy: Balancer = {
  name: 'haproxy', needs: { haproxy: 'haproxy' }, ways: WAYS, backends: BACKENDS,
  about: '`mode tcp`, round robin, a thread for each processor, which is the default. VIP: on the '
    + 'client\'s host, with an address in the overlay. Ingress: on the asked host',
  version: () => firstMatch(['haproxy', '-v'], /version (\S+)/),
  async raise(hosts, way) {
    const { from, backends } = await raiseBridged(hosts, way, BACKENDS)
    const [one, two] = hosts
    const host = way === 'vip' ? one : two
    const address = way === 'vip' ? VIRTUAL_ADDRESS : two.address
    await joinBridge(host, way === 'vip' ? VIRTUAL_ADDRESS : GATEWAY)
    writeFileSync(fileIn(host, HAPROXY_FILE), haproxyConfig(address, backends))
    await host.start(['haproxy', '-db', '-f', HAPROXY_FILE])
    return { from, address }
  },
}

/** The overlay, the client, and backends that listen. */
async function raiseBridged(hosts: Hosts['pair'], way: Way, count: number): Promise<Bridged> {
  const [one, two] = hosts
  await onBoth(hosts, addBridge)
  const backends: End[] = []
  for (let number = 1; number <= count; number++) {
    const end = await addBridged(way === 'vip' ? two : one, number)
    await end.host.start(BACKEND, end.netns, /^ready$/m)
    backends.push(end)
  }
  return { from: way === 'vip' ? await addBridged(one) : { host: one, netns: null }, backends }
}

/** The host itself has an address of the overlay. */
async function joinBridge(host: Host, address: string): Promise<void> {
  await host.run(['ip', 'addr', 'add', `${address}/24`, 'dev', BRIDGE])
}

/** @param chains a line each */
async function setRules(host: Host, netns: Netns, chains: string): Promise<void> {
  await host.run(['nft', `table ip balance {\n${chains}}`], netns)
}

function haproxyConfig(address: string, backends: readonly End[]): string {
  const servers = backends.map((end, n) => `  server b${n + 1} ${end.address}:${PORT}\n`).join('')
  return 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n'
    + `listen balance\n  bind ${address}:${PORT}\n  balance roundrobin\n${servers}`
}
