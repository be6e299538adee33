// The one memory of the packet worker. A fixed WebAssembly memory, so that its octets never move
// and a WebAssembly checksum can run over them.
import { preferHugePages } from './huge-pages.ts'
import { makeRing, type Ring } from './ring.ts'
import { addressOf } from './syscalls.ts'

const PAGE_OCTETS = 65_536
const TRIES_MAX = 8
/** More than what the allocator of the C library ever takes from a heap: it asks the kernel. */
const SPACER_OCTETS_MIN = 64 << 20
export const ARENA_PAGES = 160 // 10 MiB: receive slots, TAP area, message headers

/**
 * A ring whose memory does not cross a 4 GiB line: every pointer into it has the same upper half.
 * @throws RangeError when the kernel gives no such memory
 */
export function makeArena(pages = ARENA_PAGES): Ring {
  // A memory reserves 8 GiB below the one before, and so lies alike against these lines, unless
  // something as long as itself lies between the two. Of the spacer nothing is ever touched.
  const spacers: ArrayBuffer[] = []
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const base = addressOf(memory.buffer)
    if ((base % 2 ** 32) + pages * PAGE_OCTETS >= 2 ** 32) {
      spacers.push(new ArrayBuffer(Math.max(SPACER_OCTETS_MIN, pages * PAGE_OCTETS)))
      continue
    }
    preferHugePages(memory.buffer)
    return makeRing(memory, base)
  }
  throw new RangeError('no memory below one 4 GiB line for the packet path; '
    + 'start the daemon again: the kernel gives another place then')
}
