// What the daemon shows of load balancing on this node. As in views.ts, nothing here is live.
import type { Scheduler } from '../path/image-rows.ts'
import type { PHASE_NAMES } from '../path/flow-memory.ts'

export type { Scheduler }

export type BackendView = {
  /** "web.1.<25 digits>" */
  task: string
  /** Name of its node, or its id when the name is not known. */
  node: string
  address: string
  /** 0: it keeps what it has, and takes nothing new */
  weight: number
  /** Flows of this node: open connections, and all others. */
  active: number
  inactive: number
}

export type BalancedView = {
  /** 256 is the first: what a rule sets, and what names the service */
  mark: number
  service: string
  network: string
  /** Empty: published ports of mode "host" lead to it, and nothing else. */
  vip: string
  scheduler: Scheduler
  backends: BackendView[]
}

export type LbRuleView = {
  /**
   * "vip": what is sent to this address of this network; "published": what comes to the host, by
   * whichever of its addresses
   */
  kind: 'vip' | 'published'
  network: string
  address: string
  /** "tcp,udp" and all ports, or one of each */
  protocols: string
  ports: string
  mark: number
  service: string
}

export type FlowView = {
  protocol: 'tcp' | 'udp'
  service: string
  network: string
  mark: number
  /** "10.0.1.2:5000": as the client has it, and where it goes */
  client: string
  vip: string
  backend: string
  state: typeof PHASE_NAMES[number]
  idleMs: number
}

export type FlowsView = {
  flows: FlowView[]
  /** Flows in the tables of this node, and how many there may be. */
  used: number
  capacity: number
}

export interface LbControl {
  services(): BalancedView[]
  rules(): LbRuleView[]
  /**
   * @param service  of this service only
   * @param most     flows that are listed at most
   * @throws NotFoundError when no such service is balanced here
   */
  flows(service: string | undefined, most: number): FlowsView
}
