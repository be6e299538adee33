// The rows that a table image is built from: what the control plane tells the packet worker.

export type NetworkRow = {
  vni: number
  mtu: number
  /** Learned entries that this network may have. */
  learnedMax: number
  /** A VTEP may send only from MACs and addresses that were given to it: see source.ts. */
  strict?: boolean
  /** Its gateway, in whose name a task that meets itself is answered; only where services are. */
  gateway?: number
  /** The one over which nodes reach the tasks of published ports: see ingress.ts. */
  isIngress?: boolean
}

export type PortRow = {
  /** Never used again, so that a new port in an old slot is seen as new. */
  id: number
  /** 0 to PORTS_MAX - 1, kept as long as the port lives. */
  slot: number
  fd: number
  /** Whether this worker reads from it; where not, another one does, and both write to it. */
  isRead?: boolean
  /** Index into the network rows. */
  network: number
  macHigh: number
  macLow: number
  address: number
  /** The IPv6 link-local address as four 32-bit words. */
  linkLocal: readonly [number, number, number, number]
  promiscuous: boolean
  /** In the ingress network: that of a task, which answers nodes only, or the way to the host. */
  role?: 'published' | 'host'
}

/** A VTEP of one network: flooded frames go to each of them. */
export type MemberRow = {
  network: number
  address: number
  port: number
  /** It finishes inner checksums for us: remote checksum offload, agreed on with it. */
  remoteChecksum?: boolean
  /** It leaves no inner checksum partial but those that it marks so, as every node of ours. */
  marksPartial?: boolean
  /** Machines that nobody was told of may be behind it, also in a strict network. */
  promiscuous?: boolean
}

/** An endpoint of another node, given by the control plane. */
export type RemoteRow = {
  network: number
  macHigh: number
  macLow: number
  /** IPv4 */
  address: number
  /** Underlay address of its VTEP. One that is no member of the network makes it unreachable. */
  member: number
}

/** How a service chooses a backend for a new connection; see schedule.ts. */
export const SCHEDULERS = ['rr', 'wrr', 'lc', 'sh', 'maglev'] as const
export type Scheduler = typeof SCHEDULERS[number]

export type BackendRow = {
  /** Below BACKENDS_MAX, its own as long as it lives: flows are counted by it. */
  id: number
  /** That of a port or a remote endpoint of the network. */
  address: number
  /** 0: it keeps the connections that it has, and takes no new ones. */
  weight: number
}

/** A virtual address of a network, behind which backends stand. */
export type ServiceRow = {
  /** As a firewall mark: its own as long as the daemon runs. */
  mark: number
  network: number
  /** null: nobody calls it but through published ports */
  address: number | null
  scheduler: Scheduler
  backends: readonly BackendRow[]
}

/** What comes to a port of the host itself goes to a service of the ingress network. */
export type PublishedRow = {
  /** That of IP: TCP or UDP. */
  protocol: number
  port: number
  /** Of the service. */
  mark: number
  /** The port that its backends have. */
  target: number
  /** The backend sees the client's own address, and not that of this node. */
  isPreserving: boolean
}

export type ImageRows = {
  generation: number
  networks: NetworkRow[]
  ports: PortRow[]
  members: MemberRow[]
  /** Where two claim one MAC or address, a port goes before a remote one, else the first. */
  remotes?: readonly RemoteRow[]
  /** The same object as long as nothing of it changes: what is made of it is made once. */
  services?: readonly ServiceRow[]
  published?: readonly PublishedRow[]
  /** Seed of the indexes. One that nobody knows keeps their buckets even: see hash.ts. */
  seed?: number
}
