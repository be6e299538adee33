// Descriptors that are plain numbers, because no part of Node owns them.
import { close } from './syscalls.ts'

/** Close a descriptor that no port and no worker has taken over. */
export function closeDescriptor(fd: number): void {
  close(fd)
}
