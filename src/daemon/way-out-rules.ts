// What the packet filter of the host is told, so that tasks get out and nothing else changes: one
// table of nftables, replaced as a whole. Pure.
import type { NftCommand } from '../kernel/nft.ts'

/** Beginning of the names of the host's ends; `iifname "tmg*"` finds them all. */
export const HOST_END_PREFIX = 'tmg'
const TABLE = { family: 'ip', name: 'tapmesh' }
/** Priorities of netfilter's hooks: linux/netfilter_ipv4.h. */
const PRIORITY_RAW = -300
const PRIORITY_FILTER = 0
const PRIORITY_SOURCE_NAT = 100

type Expression = NftCommand

export type WayOutPlan = Readonly<{
  /** Of the gateway network. */
  subnet: string
  /** Devices that pass on packets only because we told them to. */
  opened: readonly string[]
  /** To which what comes for published ports is passed on. */
  ingressDevice: string
  /** Of the tunnels. */
  udpPort: number
  /** Whether a task has a plug. */
  isUsed: boolean
}>

/**
 * Masquerading has netfilter follow the connections of the whole host, so a node without tasks does
 * not. Tunnels have no part in it, and would pay for it with each packet.
 */
export function wayOutRules({ subnet, opened, ingressDevice, udpPort, isUsed }: WayOutPlan):
NftCommand[] {
  const ours = `${HOST_END_PREFIX}*`
  return [
    ...noRules(),
    { add: { table: TABLE } },
    ...['prerouting', 'output'].flatMap(hook => [
      chain(`untracked-${hook}`, 'filter', hook, PRIORITY_RAW),
      rule(`untracked-${hook}`, 'tunnels', match('==', field('dport', 'udp'), udpPort), NOTRACK),
    ]),
    chain('forward', 'filter', 'forward', PRIORITY_FILTER),
    rule('forward', 'tasks do not meet here', device('iifname', ours), device('oifname', ours),
      COUNTED, DROP),
    rule('forward', 'only from their own addresses', device('iifname', ours),
      match('!=', field('saddr'), prefixOf(subnet)), COUNTED, DROP),
    ...isUsed ? [rule('forward', 'answers come back', device('oifname', ours),
      match('in', { ct: { key: 'state' } }, ['established', 'related']), ACCEPT)] : [],
    rule('forward', 'nobody else comes in', device('oifname', ours), COUNTED, DROP),
    ...opened.length === 0 ? [] : [rule('forward', 'these devices are no routers for others',
      match('==', meta('iifname'), { set: [...opened] }),
      match('!=', meta('oifname'), ingressDevice), COUNTED, DROP)],
    ...isUsed ? [chain('postrouting', 'nat', 'postrouting', PRIORITY_SOURCE_NAT),
      rule('postrouting', 'with the address of the host', match('==', field('saddr'),
        prefixOf(subnet)), match('!=', meta('oifname'), ours), { masquerade: null })] : [],
  ]
}

/** Takes the table away, whether there is one or not. */
export function noRules(): NftCommand[] {
  return [{ add: { table: TABLE } }, { delete: { table: TABLE } }]
}

const COUNTED: Expression = { counter: null }
const DROP: Expression = { drop: null }
const ACCEPT: Expression = { accept: null }
const NOTRACK: Expression = { notrack: null }

function chain(name: string, type: 'filter' | 'nat', hook: string, prio: number): NftCommand {
  return { add: { chain: { family: TABLE.family, table: TABLE.name, name, type, hook, prio,
    policy: 'accept' } } }
}

function rule(inChain: string, comment: string, ...expr: Expression[]): NftCommand {
  return { add: { rule: { family: TABLE.family, table: TABLE.name, chain: inChain, comment,
    expr } } }
}

function device(key: 'iifname' | 'oifname', name: string): Expression {
  return match('==', meta(key), name)
}

function match(op: string, left: object, right: unknown): Expression {
  return { match: { op, left, right } }
}

function meta(key: string): object {
  return { meta: { key } }
}

function field(name: string, protocol = 'ip'): object {
  return { payload: { protocol, field: name } }
}

function prefixOf(subnet: string): object {
  const [addr, len] = subnet.split('/')
  return { prefix: { addr, len: Number(len) } }
}
