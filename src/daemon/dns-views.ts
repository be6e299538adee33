// What is shown of names, and what can be asked about them.

export type DnsType =
  'A' | 'AAAA' | 'ANY' | 'CNAME' | 'MX' | 'NS' | 'PTR' | 'SOA' | 'SRV' | 'TXT'

export type DnsWhySpec = {
  /** A name, or an IPv4 address to ask whose it is. */
  name: string
  type?: DnsType | undefined
  /** As this task hears it; absent: as a task on all networks would. */
  task?: string | undefined
}

export type DnsWhyView = {
  name: string
  type: string
  task: string | null
  /** Names of the networks that are asked, in this order. */
  networks: string[]
  /** What was looked at, one after the other. */
  steps: string[]
  rcode: string
  answers: { type: string; data: string; ttlSeconds: number }[]
  tookMs: number
}

export type DnsNameView = {
  network: string
  name: string
  kind: 'service' | 'alias' | 'task'
  addresses: string[]
}

export interface DnsControl {
  /** Ask as a task would, the host's name servers too, and tell how the answer comes about. */
  why(spec: DnsWhySpec): Promise<DnsWhyView>
  /** All names that this node knows, or those that a task can ask for. */
  names(task: string | undefined): DnsNameView[]
}
