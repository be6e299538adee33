// What the packet path knows of the kernel: three small interfaces over the ring. Rules of all
// three: nothing blocks but `wait`; answers below zero are minus errno; the VNET_HEADER_OCTETS in
// front of a frame belong to the port.

/** A TAP, or a stand-in for one. Frames are Ethernet without checksum. */
export interface FramePort {
  /**
   * Fill ring.at and ring.length from index 0; answers how many, 0 when none has come. The frames
   * lie behind ring.taken, which grows by what they take, and stay until it is set back.
   */
  receive(): number
  /** Hand over the frame at `at` and the virtio header in front of it. Answers 0 or minus errno. */
  send(at: number, lengthOctets: number): number
  /**
   * Hand over one frame that lies in pieces: the head (virtio header first), then `count` pieces
   * from index `first` of the two lists. Answers 0 or minus errno.
   */
  gather(headAt: number, headOctets: number, pieceAt: Int32Array, pieceOctets: Int32Array,
    first: number, count: number): number
  close(): void
}

/** The UDP side: datagrams that carry VXLAN. */
export interface Underlay {
  /**
   * Fill ring.at, length, source and tos from index 0 with UDP payloads; answers how many. They
   * stay until the next receive. Length -1 is a datagram that did not fit and was cut.
   */
  receive(): number
  /** Where datagrams to `destination` go from now on; 0 <= destination < DESTINATIONS_MAX. */
  setDestination(destination: number, address: number, port: number): void
  /**
   * Queue one datagram: the head, a VXLAN header and perhaps more, then the body. Datagrams of one
   * `flow` keep their order. Nothing is copied, so heads and bodies must stay as they are until the
   * next flush, and all that was queued must be flushed before the next receive.
   */
  queue(destination: number, flow: number, tos: number, headAt: number, headOctets: number,
    bodyAt: number, bodyOctets: number): void
  /** Send what was queued. What the kernel refuses is counted in `refused` and let go. */
  flush(): void
  /** Datagrams refused since the start, by errno; at index 0 all together. */
  readonly refused: Float64Array
  /** Octets, heads and bodies, of those datagrams; at index 0. */
  readonly refusedOctets: Float64Array
  close(): void
}

export const DESTINATIONS_MAX = 16_384
export const ERRNO_MAX = 256

/** Pieces that one gather may take, the head not counted. */
export const PIECES_MAX = 256

/** Tells which ports have something to receive. */
export interface Waiter {
  /** Tokens of the ready ports; as many as the last `wait` answered are valid. */
  readonly ready: Int32Array
  /** Wait at most `timeoutMs`, 0 for a look only. */
  wait(timeoutMs: number): number
}
