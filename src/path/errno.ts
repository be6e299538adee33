// hot: errors of the ports, which answer minus errno
//
// From asm-generic/errno.h, and not from kernel/constants.ts, of which this room sees nothing.
export const EAGAIN = 11
export const ENOMEM = 12
export const ENODEV = 19
export const EMSGSIZE = 90
export const ENETDOWN = 100
export const ENETUNREACH = 101
export const ENOBUFS = 105
export const EHOSTUNREACH = 113

/** There is no room just now; later there may be. */
export function isFull(errno: number): boolean {
  return errno === EAGAIN || errno === ENOBUFS || errno === ENOMEM
}
