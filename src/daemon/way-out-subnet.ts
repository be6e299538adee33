// Which subnet the gateway network of a node has: the one that was set, or the first that nothing
// on this machine uses, in the order of Docker's. Pure.
import { ConflictError, LimitError } from '../base/errors.ts'
import { cidrsOverlap, parseCidr } from '../base/text.ts'
import { checkPoolSubnet } from '../cluster/ipam.ts'
import { obstaclesOf, type Taken } from '../cluster/subnets.ts'

/** A gateway, one address that is kept, and at least one for a task. */
export const WAY_OUT_PREFIX_MAX = 29
/** 172.18.0.0/16 to 172.31.0.0/16, and then 192.168.0.0/16 in sixteen parts. */
const CANDIDATES: readonly string[] = [
  ...Array.from({ length: 14 }, (_, n) => `172.${18 + n}.0.0/16`),
  ...Array.from({ length: 16 }, (_, n) => `192.168.${16 * n}.0/20`),
]

/**
 * @param taken what this machine uses itself
 * @param wanted the one that was set
 * @throws ConflictError the one that was set is in use
 * @throws LimitError    none is free
 */
export function chooseWayOutSubnet(taken: readonly Taken[], wanted: string | undefined): string {
  const obstacles = obstaclesOf(taken)
  const obstacleOf = (subnet: string) =>
    obstacles.find(({ cidr }) => cidrsOverlap(cidr, parseCidr(subnet)))
  if (wanted !== undefined) {
    const obstacle = obstacleOf(wanted)
    if (obstacle === undefined) return wanted
    throw new ConflictError(`wayOut.subnet ${wanted} overlaps ${obstacle.reason}; set another`,
      { subnet: wanted })
  }
  const free = CANDIDATES.find(candidate => obstacleOf(candidate) === undefined)
  if (free !== undefined) return free
  throw new LimitError(`no subnet from ${CANDIDATES[0]} to ${CANDIDATES.at(-1)} is free on this `
    + 'machine; set wayOut.subnet to one that is')
}

/** Whether a gateway network can have this subnet at all. */
export function isWayOutSubnet(text: string): boolean {
  try {
    const subnet = parseCidr(text)
    checkPoolSubnet(subnet)
    return subnet.prefix <= WAY_OUT_PREFIX_MAX
  } catch {
    return false
  }
}
