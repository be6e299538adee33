// Which addresses of a network are whose to give while managers miss each other. Both sides of a
// split know the same managers, so both cut the subnet into the same blocks and see each block
// with the same manager: they give addresses without a word, and never the same one.
import type { Cidr } from '../../base/text.ts'
import { rendezvousFirst } from '../derived.ts'
import type { NodeFact } from './facts.ts'

/** Blocks of a subnet, where it has so many addresses: 8 for each of 64 managers. */
export const BLOCKS_MAX = 512

/** The manager that gives the addresses of a network now; null: none is here. */
export function allocatorOf(networkId: string, nodes: readonly NodeFact[]): string | null {
  return rendezvousFirst(networkId, nodes.filter(node => node.role === 'manager' && node.isAlive)
    .map(node => node.id))
}

/** The managers that are not here. Only managers give addresses: workers are not waited for. */
export function missingManagers(nodes: readonly NodeFact[]): NodeFact[] {
  return nodes.filter(node => node.role === 'manager' && !node.isAlive)
}

/** Whether `self` may give an address while a manager is missing. @param managers ids of all */
export function shareOf(networkId: string, subnet: Cidr, managers: readonly string[],
  self: string): (address: number) => boolean {
  const sizeAddresses = Math.max(1, (subnet.last - subnet.network + 1) / BLOCKS_MAX)
  const isOwn = new Map<number, boolean>()
  return address => {
    const block = Math.floor((address - subnet.network) / sizeAddresses)
    let answer = isOwn.get(block)
    if (answer === undefined) {
      answer = rendezvousFirst(`${networkId} block ${block}`, managers) === self
      isOwn.set(block, answer)
    }
    return answer
  }
}
