// Keep-alives as octets. They are memberlist's user messages; the first octet says that they are
// for us, the second of which kind they are.

/** First octet of a user message that is a keep-alive. */
export const KEEP_ALIVE = 0x4b
const BEAT = 1
const DOUBTS = 2
const BEAT_OCTETS = 21
const DOUBTS_HEAD_OCTETS = 11
/** Ages are counted in this. */
const AGE_UNIT_MS = 0.1
const AGE_MAX = 0xffff
/** Names of one message: more are not said. */
export const DOUBTS_MAX = 32

/** I am here, and this is the last that I heard of you. */
export type Beat = Readonly<{
  kind: 'beat'
  /** The sender's boot. */
  epoch: number
  /** One more each time. */
  counter: number
  /** The receiver's boot and counter as the sender last heard them; 0 and 0 for never. */
  heardEpoch: number
  heardCounter: number
  /** How long ago that was; Infinity for never and for longer than can be said. */
  heardAgoMs: number
  /** No more will come: the sender keeps up other tunnels now. */
  isLast: boolean
}>

/** I hear nothing of these, and should. */
export type Doubts = Readonly<{
  kind: 'doubts'
  epoch: number
  counter: number
  names: readonly string[]
}>

const utf8 = new TextEncoder()
const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

export function encodeBeat(beat: Beat): Uint8Array {
  const octets = new Uint8Array(BEAT_OCTETS)
  const view = new DataView(octets.buffer)
  octets[0] = KEEP_ALIVE
  octets[1] = BEAT
  octets[2] = beat.isLast ? 1 : 0
  view.setUint32(3, beat.epoch)
  view.setUint32(7, beat.counter)
  view.setUint32(11, beat.heardEpoch)
  view.setUint32(15, beat.heardCounter)
  view.setUint16(19, Math.min(AGE_MAX, Math.round(beat.heardAgoMs / AGE_UNIT_MS)))
  return octets
}

/** The first DOUBTS_MAX names, 255 octets each at most. */
export function encodeDoubts({ epoch, counter, names }: Doubts): Uint8Array {
  const texts = names.slice(0, DOUBTS_MAX).map(name => utf8.encode(name).subarray(0, 255))
  const namesOctets = texts.reduce((sum, text) => sum + 1 + text.length, 0)
  const octets = new Uint8Array(DOUBTS_HEAD_OCTETS + namesOctets)
  const view = new DataView(octets.buffer)
  octets[0] = KEEP_ALIVE
  octets[1] = DOUBTS
  view.setUint32(2, epoch)
  view.setUint32(6, counter)
  octets[10] = texts.length
  let at = DOUBTS_HEAD_OCTETS
  for (const text of texts) {
    octets[at] = text.length
    octets.set(text, at + 1)
    at += 1 + text.length
  }
  return octets
}

/** Null for what is no keep-alive of ours. */
export function decodeKeepAlive(octets: Uint8Array): Beat | Doubts | null {
  if (octets[0] !== KEEP_ALIVE) return null
  if (octets[1] === BEAT) return decodeBeat(octets)
  return octets[1] === DOUBTS ? decodeDoubts(octets) : null
}

function decodeBeat(octets: Uint8Array): Beat | null {
  if (octets.length < BEAT_OCTETS) return null
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength)
  const age = view.getUint16(19)
  return {
    kind: 'beat',
    isLast: octets[2] === 1,
    epoch: view.getUint32(3),
    counter: view.getUint32(7),
    heardEpoch: view.getUint32(11),
    heardCounter: view.getUint32(15),
    heardAgoMs: age === AGE_MAX ? Infinity : age * AGE_UNIT_MS,
  }
}

function decodeDoubts(octets: Uint8Array): Doubts | null {
  const count = octets[10] ?? 0
  if (octets.length < DOUBTS_HEAD_OCTETS || count > DOUBTS_MAX) return null
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength)
  const names: string[] = []
  let at = DOUBTS_HEAD_OCTETS
  for (let i = 0; i < count; i += 1) {
    const end = at + 1 + (octets[at] ?? 0)
    if (end > octets.length) return null
    try {
      names.push(strictUtf8.decode(octets.subarray(at + 1, end)))
    } catch {
      return null
    }
    at = end
  }
  return { kind: 'doubts', epoch: view.getUint32(2), counter: view.getUint32(6), names }
}
