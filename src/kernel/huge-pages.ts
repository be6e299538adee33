// Memory in pages of 2 MiB, for what is read all over: a page that the processor has no translation
// for costs more than the octets that are read from it, and far more so on a virtual machine.
import { MADV_HUGEPAGE } from './constants.ts'
import { addressOf, madvise } from './syscalls.ts'

const PAGE_OCTETS = 4096

/** Ask for such pages. A kernel without them refuses, and nothing is lost. */
export function preferHugePages(memory: ArrayBuffer | SharedArrayBuffer): void {
  const address = addressOf(memory)
  const first = Math.ceil(address / PAGE_OCTETS) * PAGE_OCTETS
  const last = Math.floor((address + memory.byteLength) / PAGE_OCTETS) * PAGE_OCTETS
  if (last > first) madvise(first, last - first, MADV_HUGEPAGE)
}
