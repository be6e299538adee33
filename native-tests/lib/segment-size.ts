// Devices of tasks that are wider than their network, and what segment sizes TCP then begins with.
import type { Lab } from './lab.ts'
import type { Tcpdump } from './tcpdump.ts'
import { until } from './wait.ts'

export type Device = Readonly<{ where: string; name: string }>

/**
 * What `fn` gives while these devices have this MTU. The daemon gives them theirs again after a
 * while, so what happened meanwhile is repeated.
 */
export async function whileWide<T>(lab: Lab, devices: readonly Device[], mtu: number,
  fn: () => Promise<T>): Promise<T> {
  const { value } = await until('devices that stay wide meanwhile', async () => {
    for (const { where, name } of devices) {
      await lab.out(where, 'ip', 'link', 'set', name, 'mtu', String(mtu))
    }
    const found = await fn()
    const now = await Promise.all(devices.map(({ where, name }) =>
      lab.out(where, 'cat', `/sys/class/net/${name}/mtu`)))
    return now.every(text => Number(text) === mtu) && { value: found }
  }, 60_000)
  return value
}

/** A counter of all nodes together. */
export async function sumOf(lab: Lab, name: string): Promise<number> {
  const counts = await Promise.all(lab.nodes.map(node => lab.count(node, name)))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** pcap-filter(7): segments that begin a connection. */
export const SYNS = 'tcp[tcpflags] & tcp-syn != 0'

/** Sizes that were told, by who told them: "10.0.1.11 1310", each once. */
export async function sizesTold(capture: Tcpdump): Promise<string[]> {
  const rows = await capture.decode(['ip.src', 'tcp.options.mss_val'])
  return [...new Set(rows.map(([source, size]) => `${source} ${size}`))].sort()
}
