// How a task of a published port answers: what it sends from its address in the ingress network
// leaves there, whoever the client is and whatever other ways out the task has.
import { parseCidr } from '../base/text.ts'
import { setRoute } from '../kernel/netlink/route.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import { addRule, deleteRule, isSameRule, rules } from '../kernel/netlink/rule.ts'
import { INGRESS_TABLE } from './ingress-device.ts'
import type { EndpointRecord, NetworkRecord } from './state.ts'

const SOURCE_PRIORITY = 99
const DEFAULT_ROUTE = '0.0.0.0/0'

/** @param device index of the endpoint's device, in the namespace of `rt` */
export async function routeAnswers(rt: Rtnetlink, device: number, endpoint: EndpointRecord,
  { gateway, subnet }: NetworkRecord): Promise<void> {
  const { address } = endpoint
  const way = { device, table: INGRESS_TABLE, source: address }
  const { prefix } = parseCidr(subnet)
  await setRoute(rt, { destination: `${address}/${prefix}`, ...way })
  await setRoute(rt, { destination: DEFAULT_ROUTE, gateway, ...way })
  const wanted = { priority: SOURCE_PRIORITY, table: INGRESS_TABLE, source: address }
  await addRule(rt, wanted)
  for (const rule of await rules(rt)) {
    if (rule.table === INGRESS_TABLE && !isSameRule(rule, wanted)) await deleteRule(rt, rule)
  }
}
