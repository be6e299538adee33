// What the daemon shows of the way out of the cluster.

/** The interface of a task in the gateway network of its node. */
export type PlugView = {
  network: string
  interface: string
  /** "172.18.0.3" */
  address: string
  prefix: number
  gateway: string
  mac: string
  mtu: number
  /** The host's end of it. */
  device: string
}

export type WayOutView = {
  /** "closed": packets are not let through. "off": by setting. */
  state: 'open' | 'closed' | 'off'
  /** Why it is closed. */
  reason: string | null
  /** null: none was chosen yet */
  subnet: string | null
  gateway: string | null
  /** The host's device that has the gateway's address. */
  device: string
  tasks: number
  /** Devices that pass on packets because we told them to. */
  opened: string[]
}
