// What the packet path knows of the kernel: three small interfaces over the ring. Rules of all three:
// nothing blocks but `wait`; answers below zero are minus errno; a frame stays where it lies until the
// next receive, and the VNET_HEADER_OCTETS in front of it belong to the port.

/** A TAP, or a stand-in for one. Frames are Ethernet without checksum. */
export interface FramePort {
  /** Fill ring.at and ring.length from index 0; answers how many, 0 when there is none for now. */
  receive(): number
  /** Hand over the frame at `at`, with the virtio header in front of it. Answers 0 or minus errno. */
  send(at: number, lengthOctets: number): number
  close(): void
}

/** The UDP side: datagrams that carry VXLAN. */
export interface Underlay {
  /**
   * Fill ring.at, length, source and tos from index 0 with UDP payloads; answers how many. Length -1
   * is a datagram that did not fit and was cut.
   */
  receive(): number
  /** Where datagrams to `destination` go from now on; 0 <= destination < DESTINATIONS_MAX. */
  setDestination(destination: number, address: number, port: number): void
  /**
   * Queue one datagram: the 8 octets at `headerAt`, then the frame. Datagrams of one `flow` keep their
   * order. Nothing is copied, so all that was queued must be flushed before the next receive.
   */
  queue(destination: number, flow: number, tos: number, headerAt: number, at: number,
    lengthOctets: number): void
  /** Send what was queued. What the kernel refuses is counted in `refused` and let go. */
  flush(): void
  /** Datagrams refused since the start, by errno; at index 0 all together. */
  readonly refused: Float64Array
  close(): void
}

export const DESTINATIONS_MAX = 16_384
export const ERRNO_MAX = 256

/** Tells which ports have something to receive. */
export interface Waiter {
  /** Tokens of the ready ports; as many as the last `wait` answered are valid. */
  readonly ready: Int32Array
  /** Wait at most `timeoutMs`, 0 for a look only. */
  wait(timeoutMs: number): number
}
