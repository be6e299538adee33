// The open bundles of one packet worker: lists that are made once at start. bundle.ts fills them.

/** Flows whose segments may be put together at one time, and pieces of each; powers of two. */
export const BUNDLES = 16
export const BUNDLE_PIECES_MAX = 128

/** Open bundles: row `key` of each list is one of them. */
export type Bundles = Readonly<{
  /** Bundles that hold something, at index 0. */
  open: Int32Array
  /** Frames in the bundle, 0: it is free. */
  count: Int32Array
  slot: Int32Array
  type: Int32Array
  /** The first frame. */
  at: Int32Array
  lengthOctets: Int32Array
  l4At: Int32Array
  /** Octets of its headers, from Ethernet on. */
  headOctets: Int32Array
  /** Payload octets of the first frame, and of all together. */
  size: Int32Array
  octets: Int32Array
  /** TCP sequence number that continues the bundle. */
  sequence: Int32Array
  /** TCP flags that a later frame adds. */
  flags: Int32Array
  /** 1 when the first frame's checksums were found right. */
  verified: Int32Array
  /** 1 when checksums of its frames may have been left partial. */
  partial: Int32Array
  /** 1 when it is the answer of a backend; then what its addresses and ports are to become. */
  isAnswer: Int32Array
  answerSource: Int32Array
  answerDestination: Int32Array
  answerPorts: Int32Array
  /** Folded sum of addresses and protocol, once verified. */
  pseudo: Int32Array
  /** The bundle that was begun last, -1 when it is closed; its VTEP and outer TOS, at index 0. */
  latest: Int32Array
  latestSource: Int32Array
  latestTos: Int32Array
  pieceAt: Int32Array
  pieceOctets: Int32Array
}>

export function makeBundles(): Bundles {
  const perBundle = (): Int32Array => new Int32Array(BUNDLES)
  return {
    open: new Int32Array(1), count: perBundle(), slot: perBundle(), type: perBundle(),
    at: perBundle(), lengthOctets: perBundle(), l4At: perBundle(), headOctets: perBundle(),
    size: perBundle(), octets: perBundle(), sequence: perBundle(), flags: perBundle(),
    verified: perBundle(), partial: perBundle(), pseudo: perBundle(),
    isAnswer: perBundle(), answerSource: perBundle(), answerDestination: perBundle(),
    answerPorts: perBundle(),
    latest: new Int32Array(1).fill(-1), latestSource: new Int32Array(1),
    latestTos: new Int32Array(1),
    pieceAt: new Int32Array(BUNDLES * BUNDLE_PIECES_MAX),
    pieceOctets: new Int32Array(BUNDLES * BUNDLE_PIECES_MAX),
  }
}
