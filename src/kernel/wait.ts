// hot: which descriptors have something to read, by epoll(7), level-triggered
import { KernelError } from '../base/errors.ts'
import {
  CLOCK_MONOTONIC, EINTR, EPOLLIN, EPOLL_CTL_ADD, EPOLL_CTL_DEL, O_CLOEXEC,
} from './constants.ts'
import type { Waiter } from './port.ts'
import { ADDRESS_STEP_OCTETS, makeAddressedRoom, type Ring } from './ring.ts'
import {
  clockGettime, close, epollCreate1, epollCtl, epollWait, read, schedYield,
} from './syscalls.ts'

const READY_MAX = 256
/** How much success is remembered, and how often a spin is tried without any; a power of two. */
const SPIN_CREDIT_MAX = 8
const SPIN_RETRY = 16
/** struct epoll_event is packed on x86-64 only: linux/eventpoll.h, EPOLL_PACKED. */
const EVENT_OCTETS = process.arch === 'x64' ? 12 : 16
const DATA_AT = EVENT_OCTETS - 8

export class Epoll implements Waiter {
  readonly ready = new Int32Array(READY_MAX)
  readonly #fd: number
  readonly #ring: Ring
  readonly #events: number
  readonly #scratch: number

  readonly #spinMicros: number
  /** A struct timespec. */
  readonly #time: number
  #credit = SPIN_CREDIT_MAX
  #skipped = 0

  /** @param spinMicros how long a wait looks before it sleeps, 0: not at all */
  constructor(ring: Ring, spinMicros = 0) {
    this.#fd = epollCreate1(O_CLOEXEC)
    if (this.#fd < 0) throw new KernelError('epoll_create1', -this.#fd)
    this.#ring = ring
    this.#events = makeAddressedRoom(ring, READY_MAX * EVENT_OCTETS)
    this.#scratch = makeAddressedRoom(ring, 8)
    this.#time = makeAddressedRoom(ring, 16)
    this.#spinMicros = spinMicros
  }

  /** @param token what `ready` shows for this descriptor, 0 to 2^31 - 1 */
  makeWatched(fd: number, token: number): void {
    const event = new Uint8Array(EVENT_OCTETS)
    const view = new DataView(event.buffer)
    view.setUint32(0, EPOLLIN, true)
    view.setInt32(DATA_AT, token, true)
    const result = epollCtl(this.#fd, EPOLL_CTL_ADD, fd, event)
    if (result < 0) throw new KernelError('epoll_ctl ADD', -result, { fd, token })
  }

  makeUnwatched(fd: number): void {
    epollCtl(this.#fd, EPOLL_CTL_DEL, fd, new Uint8Array(EVENT_OCTETS))
  }

  wait(timeoutMs: number): number {
    if (this.#spinMicros === 0 || timeoutMs === 0) return this.#look(timeoutMs)
    const found = this.#spin()
    return found !== 0 ? found : this.#look(timeoutMs)
  }

  /**
   * Look again and again for a bounded time, for a wake-up from sleep costs more than it. Whether
   * it is worth it is learned: spins that find nothing use credit up, spins that find something
   * earn it, and without credit only one wait in SPIN_RETRY tries. The clock is asked at every
   * turn, because a turn in which others had the processor is long: it is theirs then, not idle.
   */
  #spin(): number {
    if (this.#credit === 0) {
      this.#skipped = (this.#skipped + 1) & (SPIN_RETRY - 1)
      if (this.#skipped !== 0) return 0
    }
    const startMicros = this.#micros()
    do {
      const count = this.#look(0)
      if (count !== 0) {
        if (this.#credit < SPIN_CREDIT_MAX) this.#credit += 1
        return count
      }
      // Whoever else wants this processor, the endpoint that is to answer perhaps, goes first.
      schedYield()
    } while ((this.#micros() - startMicros | 0) < this.#spinMicros)
    if (this.#credit > 0) this.#credit -= 1
    return 0
  }

  /** The lower 32 bits of a clock. performance.now() would leave a number on the heap each time. */
  #micros(): number {
    clockGettime(CLOCK_MONOTONIC, this.#ring.addresses[this.#time / ADDRESS_STEP_OCTETS] as number)
    const { view } = this.#ring
    const nanos = view.getInt32(this.#time + 8, true)
    return Math.imul(view.getInt32(this.#time, true), 1_000_000) + (nanos / 1000 | 0) | 0
  }

  #look(timeoutMs: number): number {
    const address = this.#ring.addresses[this.#events / ADDRESS_STEP_OCTETS] as number
    const count = epollWait(this.#fd, address, READY_MAX, timeoutMs)
    if (count < 0) {
      if (count === -EINTR) return 0
      this.#makeFailure(-count)
    }
    for (let i = 0; i < count; i++) {
      this.ready[i] = this.#ring.view.getInt32(this.#events + i * EVENT_OCTETS + DATA_AT, true)
    }
    return count
  }

  /** Empty the eventfd `fd`, so that it is not ready any more. */
  drain(fd: number): void {
    read(fd, this.#ring.addresses[this.#scratch / ADDRESS_STEP_OCTETS] as number, 8)
  }

  close(): void {
    close(this.#fd)
  }

  #makeFailure(errno: number): never {
    throw new KernelError('epoll_wait', errno)
  }
}
