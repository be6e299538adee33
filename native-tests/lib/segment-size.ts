// Devices of tasks that are wider than their network, and what segment sizes TCP then begins with.
import type { Lab } from './lab.ts'
import type { Tcpdump } from './tcpdump.ts'
import { until } from './wait.ts'

export type Device = Readonly<{ where: string; name: string }>

/**
 * What `prepare` gives, and then `fn` while these devices have this MTU. The daemon gives them
 * theirs again after a while, and then all is repeated: `fn` does only what needs them wide.
 */
export async function whileWide<P, T>(lab: Lab, devices: readonly Device[], mtu: number,
  prepare: () => Promise<P>, fn: () => Promise<T>): Promise<readonly [P, T]> {
  return until('devices that stay wide meanwhile', async () => {
    const prepared = await prepare()
    await Promise.all(devices.map(({ where, name }) =>
      lab.out(where, 'ip', 'link', 'set', name, 'mtu', String(mtu))))
    const found = await fn()
    const now = await Promise.all(devices.map(({ where, name }) =>
      lab.out(where, 'cat', `/sys/class/net/${name}/mtu`)))
    return now.every(text => Number(text) === mtu) && [prepared, found] as const
  }, 60_000)
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
