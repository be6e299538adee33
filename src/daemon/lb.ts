// Load balancing on this node as people see it: what stands in the table image, and the flows that
// the workers keep in shared memory.
import { NotFoundError } from '../base/errors.ts'
import { formatIpv4, parseIpv4 } from '../base/text.ts'
import { PHASE_NAMES } from '../path/flow-memory.ts'
import { type FlowRow, flowsInUse, flowsOfBackend, makeFlowRows } from '../path/flow-rows.ts'
import { PROTOCOL_TCP } from '../wire/ipv4.ts'
import type { Balanced } from './balancing.ts'
import type { Core } from './core.ts'
import type {
  BackendView, BalancedView, FlowsView, FlowView, LbControl, LbRuleView,
} from './lb-views.ts'

export function makeLb(core: Core): LbControl {
  return {
    services: () => core.balancing.all.map(one => balancedView(core, one))
      .sort((a, b) => a.mark - b.mark),
    rules: () => core.balancing.all.flatMap(one => rulesOf(core, one))
      .sort((a, b) => a.mark - b.mark),
    flows: (service, most) => flowsOf(core, service, most),
  }
}

/** Open connections through this node to the task of this name, in all its networks. */
export function flowsTo({ balancing, datapath }: Core, task: string): number {
  return balancing.all.flatMap(({ row, service }) => {
    const addresses = new Set(service.tasks.filter(({ name }) => name === task)
      .map(({ address }) => parseIpv4(address)))
    return row.backends.filter(({ address }) => addresses.has(address))
  }).reduce((sum, { id }) => sum + flowsOfBackend(datapath.flows, id).active, 0)
}

function rulesOf(core: Core, { row, networkId, service, ports }: Balanced): LbRuleView[] {
  const rest = { network: networkName(core, networkId), mark: row.mark, service: service.name }
  return [
    ...ports.map(({ protocol, published }): LbRuleView => ({ kind: 'published', address: '*',
      protocols: protocol, ports: String(published), ...rest })),
    ...row.address === null ? [] : [{ kind: 'vip' as const, address: formatIpv4(row.address),
      protocols: 'tcp,udp', ports: 'all', ...rest }],
  ]
}

function balancedView(core: Core, { row, networkId, service }: Balanced): BalancedView {
  const names = new Map(service.tasks.map(task => [task.address, task]))
  const backends = row.backends.map(({ id, address, weight }): BackendView => {
    const task = names.get(formatIpv4(address))
    const node = task?.node ?? ''
    return {
      task: task?.name ?? '', node: core.link?.records.nodes.get(node)?.name ?? node,
      address: formatIpv4(address), weight, ...flowsOfBackend(core.datapath.flows, id),
    }
  })
  return {
    mark: row.mark, service: service.name, network: networkName(core, networkId),
    vip: addressText(row.address), scheduler: row.scheduler, backends,
  }
}

function flowsOf(core: Core, which: string | undefined, most: number): FlowsView {
  const all = core.balancing.all
  const wanted = all.filter(({ service }) => which === undefined || service.name === which
    || service.id === which)
  if (which !== undefined && wanted.length === 0) {
    throw new NotFoundError(`no service named ${which} is balanced on this node; `
      + 'see tapmesh lb ls', { service: which })
  }
  const byMark = new Map(wanted.map(one => [one.row.mark, one]))
  const rows = makeFlowRows(core.datapath.flows, mark => byMark.has(mark), most)
  return {
    flows: rows.map(row => flowView(core, row, byMark.get(row.mark)!)),
    ...flowsInUse(core.datapath.flows),
  }
}

function flowView(core: Core, row: FlowRow, { networkId, service }: Balanced): FlowView {
  return {
    protocol: row.protocol === PROTOCOL_TCP ? 'tcp' : 'udp',
    service: service.name, network: networkName(core, networkId), mark: row.mark,
    client: `${formatIpv4(row.client)}:${row.clientPort}`,
    vip: `${formatIpv4(row.virtual)}:${row.virtualPort}`,
    backend: `${formatIpv4(row.backend)}:${row.backendPort}`,
    state: PHASE_NAMES[row.phase]!, idleMs: row.idleSeconds * 1000,
  }
}

function networkName(core: Core, id: string): string {
  return core.state.networks.find(network => network.id === id)?.name ?? id
}

function addressText(address: number | null): string {
  return address === null ? '' : formatIpv4(address)
}
