// How one thread wakes another that waits by epoll: through an eventfd(2), which wait.ts empties.
import { KernelError } from '../base/errors.ts'
import { EAGAIN, O_CLOEXEC, O_NONBLOCK } from './constants.ts'
import { addressOf, eventfd, write } from './syscalls.ts'

/** The wake descriptor: written by another thread, seen as a ready token. */
export function makeWake(): number {
  const fd = eventfd(0, O_NONBLOCK | O_CLOEXEC)
  if (fd < 0) throw new KernelError('eventfd', -fd)
  return fd
}

/** What is written, with its address: memory that only an address refers to would be collected. */
const one = { octets: new Uint8Array(new BigUint64Array([1n]).buffer), address: 0 }
one.address = addressOf(one.octets)

/** Wake the thread that waits on `fd`. Cheap, may be called at any time. */
export function wake(fd: number): void {
  const result = write(fd, one.address, one.octets.length)
  // A counter that is full wakes as well.
  if (result < 0 && result !== -EAGAIN) throw new KernelError('write eventfd', -result)
}
