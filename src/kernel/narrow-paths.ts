// What routers say of packets of this host that are too long for the way: the kernel acts on it for
// connections of its own, and for others somebody else has to.
import { openRawIcmp } from './raw-socket.ts'
import { attachFilter, narrowPaths } from './socket-filter.ts'

/**
 * @param onPacket called with each ICMP "fragmentation needed", from its IPv4 header on; what it
 *                 throws is thrown from the event loop
 * @returns        what ends it
 * @throws AbsentError  no package `raw-socket`, or no right to use raw sockets
 */
export function hearNarrowPaths(onPacket: (packet: Uint8Array) => void): () => void {
  const { socket, fd } = openRawIcmp('hearing of narrow paths to clients of published ports')
  let isOpen = true
  const close = (): void => {
    if (isOpen) socket.close()
    isOpen = false
  }
  try {
    attachFilter(fd, narrowPaths())
  } catch (error) {
    close()
    throw error
  }
  socket.on('message', packet => {
    const copy = Uint8Array.from(packet)
    // An exception must not pass through the native code that called us.
    setImmediate(() => { if (isOpen) onPacket(copy) })
  })
  socket.on('error', () => {}) // one failed read is no reason to give up
  socket.on('close', () => { isOpen = false })
  return close
}
