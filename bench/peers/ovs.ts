// Open vSwitch with its userspace datapath, as VXLAN endpoint: with a TAP port and packet sockets,
// and with AF_XDP on every port. The underlay's address moves to a bridge of its own, where Open
// vSwitch looks it up for the outer header.
import { mkdirSync } from 'node:fs'
import type { Host, Running } from '../hosts.ts'
import { fileIn, UNDERLAY_DEVICE } from '../hosts.ts'
import { firstMatch } from '../machine.ts'
import type { End, Subject } from '../subjects.ts'
import { addEndpoint, moveToEndpoint, onBoth, TUNNEL_MTU, VNI, VXLAN_PORT } from '../subjects.ts'

const FOLDER = '/run/openvswitch' // the default of every tool, private to the host
const DATABASE = `${FOLDER}/conf.db`
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema'
const WAIT_S = 10
const POLL_SLEEP_MAX_US = 100
const AFXDP = ['type=afxdp', 'options:n_rxq=1']

const common = {
  needs: { 'ovs-vswitchd': 'openvswitch-switch', 'ovsdb-server': 'openvswitch-switch' },
  version: () => firstMatch(['ovs-vswitchd', '--version'], /Open vSwitch\) (\S+)/),
}

export const ovsTap: Subject = {
  ...common,
  name: 'ovs-tap',
  async raise(hosts) {
    const daemons = await onBoth(hosts, startSwitch)
    const ends = await onBoth(hosts, async (host, other) => {
      await addBridges(host, other, [])
      await addPort(host, 'br-int', 'tap0', ['type=internal'])
      return moveToEndpoint(host, 'tap0')
    })
    return { mtu: TUNNEL_MTU, ends, daemons: daemons.flat() }
  },
}

export const ovsAfxdp: Subject = {
  ...common,
  name: 'ovs-afxdp',
  async raise(hosts) {
    const daemons = await onBoth(hosts, startSwitch)
    const ends = await onBoth(hosts, async (host, other) => {
      // One polling thread for each host, on a processor of its own, allowed to doze.
      await configureSwitch(host, 'set', 'Open_vSwitch', '.',
        `other_config:pmd-cpu-mask=${host.index}`, `other_config:pmd-maxsleep=${POLL_SLEEP_MAX_US}`)
      await host.run(['ethtool', '-K', UNDERLAY_DEVICE, 'tx', 'off'])
      await addBridges(host, other, AFXDP)
      const end: End = await addEndpoint(host)
      // Frames pass from here to the wire as they are, so their checksums must be finished.
      await host.run(['ethtool', '-K', 'eth0', 'tx', 'off'], end.netns)
      await addPort(host, 'br-int', 'p0', AFXDP)
      return end
    })
    return { mtu: TUNNEL_MTU, ends, daemons: daemons.flat() }
  },
}

async function startSwitch(host: Host): Promise<Running[]> {
  mkdirSync(fileIn(host, FOLDER))
  await host.run(['ovsdb-tool', 'create', DATABASE, SCHEMA])
  const database = await host.start(['ovsdb-server', DATABASE, '-vconsole:info',
    `--remote=punix:${FOLDER}/db.sock`], null, /ovsdb-server \(Open vSwitch\)/)
  await configureSwitch(host, '--no-wait', 'init')
  return [database, await host.start(['ovs-vswitchd'])]
}

async function addBridges(host: Host, other: Host, underlay: readonly string[]): Promise<void> {
  const mac = (await host.run(['cat', `/sys/class/net/${UNDERLAY_DEVICE}/address`])).trim()
  await host.run(['ip', 'addr', 'flush', 'dev', UNDERLAY_DEVICE])
  await addBridge(host, 'br-phy', `other_config:hwaddr="${mac}"`)
  await addPort(host, 'br-phy', UNDERLAY_DEVICE, underlay)
  await host.run(['ip', 'addr', 'add', `${host.address}/24`, 'dev', 'br-phy'])
  await host.run(['ip', 'link', 'set', 'br-phy', 'up'])
  await addBridge(host, 'br-int')
  await addPort(host, 'br-int', 'vx0', ['type=vxlan', `options:remote_ip=${other.address}`,
    `options:key=${VNI}`, `options:dst_port=${VXLAN_PORT}`])
}

async function addBridge(host: Host, name: string, ...columns: string[]): Promise<void> {
  await configureSwitch(host, 'add-br', name, '--', 'set', 'bridge', name,
    'datapath_type=netdev', 'fail_mode=standalone', ...columns)
}

async function addPort(
  host: Host, bridge: string, port: string, columns: readonly string[],
): Promise<void> {
  const set = columns.length === 0 ? [] : ['--', 'set', 'interface', port, ...columns]
  await configureSwitch(host, 'add-port', bridge, port, ...set)
}

async function configureSwitch(host: Host, ...words: string[]): Promise<void> {
  await host.run(['ovs-vsctl', `--timeout=${WAIT_S}`, ...words])
}
