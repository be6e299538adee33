// A host that gets segments of one sender, and what its endpoint is to have of them.
import { hexOf } from '../wire/vectors.test-kit.ts'
import {
  A, B, faultOf, firstDifference, type Passed, segmentsOf, shapeOf, unpacked,
} from './offload.test-kit.ts'
import { type HostOptions, OffloadHost } from './offload-host.test-kit.ts'
import { specOf, superFrame, type SuperSpec } from './super-frame.test-kit.ts'

export const PLAIN = '00'.repeat(10)

export function makeHost(over: Partial<HostOptions> = {}): OffloadHost {
  const host = new OffloadHost({ endpoints: [A], ...over })
  host.meet(B)
  return host
}

/** Segments of B's super-frame as they leave B's host. */
export function segments(over: Partial<SuperSpec>): Uint8Array[] {
  const spec = specOf(over)
  return segmentsOf(superFrame(spec, B, A).octets, spec.size)
}

/** How many frames each write had. */
export function writes(passed: Passed[]): number[] {
  return passed.map(one => unpacked(one).length)
}

export function differenceOf(passed: Passed[], sent: Uint8Array[]): string {
  return firstDifference(passed.flatMap(unpacked), sent)
}

/** Who speaks with whom by which ports. */
function flowOf(frame: Uint8Array): string {
  const shape = shapeOf(frame)
  if (shape === undefined) return hexOf(frame.subarray(0, 14))
  const { l3At, l4At, version, protocol } = shape
  const addresses = version === 4 ? frame.subarray(l3At + 12, l3At + 20)
    : frame.subarray(l3At + 8, l3At + 40)
  return `${protocol} ${hexOf(addresses)} ${hexOf(frame.subarray(l4At, l4At + 4))}`
}

export const keyOf = (frame: Uint8Array) => Buffer.from(frame).toString('latin1')

/**
 * A frame as text. The identification of an IPv4 packet that must not be fragmented means nothing
 * (RFC 6864 section 4.1), so it is left out with the checksum that covers it.
 */
export function nameOf(frame: Uint8Array): string {
  if (frame[12] !== 8 || (frame[20]! & 0x40) === 0) return keyOf(frame)
  const copy = frame.slice()
  copy.fill(0, 18, 20)
  copy.fill(0, 24, 26)
  return keyOf(copy)
}

/** The first frame that is missing, changed, doubled, or came before one of its flow, or ''. */
export function disorder(passed: Passed[], sent: readonly Uint8Array[],
  flows: readonly string[] = sent.map(flowOf)): string {
  const got = passed.flatMap(unpacked)
  const places = Map.groupBy(sent.keys(), n => nameOf(sent[n]!))
  const last = new Map<string, number>()
  for (const frame of got) {
    const n = places.get(nameOf(frame))?.shift()
    if (n === undefined) return `not sent, or twice: ${hexOf(frame.subarray(0, 100))}`
    if (faultOf(frame) !== '') return `${n}: ${faultOf(frame)}`
    if (n < (last.get(flows[n]!) ?? -1)) return `${n} behind ${last.get(flows[n]!)}`
    last.set(flows[n]!, n)
  }
  const missing = [...places.values()].flat()
  return missing.length === 0 ? '' : `${missing.join(', ')} missing`
}
