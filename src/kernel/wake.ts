// How one thread wakes another that waits by epoll: through an eventfd(2), which wait.ts empties.
import { KernelError } from '../base/errors.ts'
import { O_CLOEXEC, O_NONBLOCK } from './constants.ts'
import { addressOf, eventfd, write } from './syscalls.ts'

/** The wake descriptor: written by another thread, seen as a ready token. */
export function makeWake(): number {
  const fd = eventfd(0, O_NONBLOCK | O_CLOEXEC)
  if (fd < 0) throw new KernelError('eventfd', -fd)
  return fd
}

const one = new BigUint64Array([1n])
const oneAddress = addressOf(new Uint8Array(one.buffer))

/** Wake the thread that waits on `fd`. Cheap, may be called at any time. */
export function wake(fd: number): void {
  write(fd, oneAddress, 8)
}
