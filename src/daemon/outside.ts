// Whether a task may leave the cluster at all: with packets, or with questions for names.
import { VNI_INGRESS } from '../cluster/subnets.ts'
import type { NetworkRecord } from './state.ts'

/**
 * As Docker has it, one network that is not internal is enough. But that of published ports is
 * there to let clients in: beside networks that the user has chosen it does not count.
 */
export function leadOutside(networks: readonly Pick<NetworkRecord, 'vni' | 'internal'>[]): boolean {
  const chosen = networks.filter(({ vni }) => vni !== VNI_INGRESS)
  return chosen.length === 0 ? networks.length > 0 : chosen.some(({ internal }) => !internal)
}
