// Whoever receives what was folded learns what he would have learned without, whatever tasks send.
// A failing run is repeated with the seed that fast-check prints.
import test from 'ava'
import fc from 'fast-check'
import { FIN, pair, PSH, SEEN, send, sent, takeAll } from './fold.test-kit.ts'
import { viewOf } from './frames.test-kit.ts'
import { faultOf, payloadAt, shapeOf } from './offload.test-kit.ts'
import { ACK, endsOf } from './services.test-kit.ts'

/** What one who receives them knows in the end, by flow. */
function learned(frames: readonly Uint8Array[]): Record<string, unknown> {
  type Flow = { octets: number[]; seen: number; ended: number; window: number }
  const flows: Record<string, Flow> = {}
  for (const frame of frames) {
    const shape = shapeOf(frame)!
    const view = viewOf(frame)
    const flow = flows[endsOf(frame)] ??= { octets: [], seen: 0, ended: -1, window: -1 }
    const sequence = view.getUint32(shape.l4At + 4)
    const payload = frame.subarray(payloadAt(frame, shape), shape.end)
    payload.forEach((octet, n) => { flow.octets[sequence - 100 + n] = octet })
    flow.seen = Math.max(flow.seen, view.getUint32(shape.l4At + 8))
    flow.window = view.getUint16(shape.l4At + 14)
    if ((view.getUint8(shape.l4At + 13) & FIN) !== 0) flow.ended = sequence + payload.length
  }
  return flows
}

/** Connections of which each says something at random, in one read. */
const conversation = fc.array(fc.record({
  flow: fc.integer({ min: 0, max: 3 }), payload: fc.constantFrom(0, 0, 0, 1, 64, 1300),
  sees: fc.constantFrom(0, 0, 1, 700), isEnd: fc.constantFrom(false, false, false, true),
  isAgain: fc.constantFrom(false, false, false, false, true),
  window: fc.integer({ min: 0, max: 9 }),
  kind: fc.constantFrom('partial' as const, 'partial' as const, 'right' as const),
}), { minLength: 2, maxLength: 60 })

test('whoever receives learns the same, in any conversation', t => {
  let folds = 0
  fc.assert(fc.property(conversation, steps => {
    const next = [100, 100, 100, 100]
    const seen = [SEEN, SEEN, SEEN, SEEN]
    const frames = steps.map(({ flow, payload, sees, isEnd, isAgain, window, kind }) => {
      const sequence = isAgain ? Math.max(100, next[flow]! - 64) : next[flow]!
      seen[flow]! += sees
      next[flow] = Math.max(next[flow]!, sequence + payload)
      return sent({ port: 5000 + flow, flags: ACK | (isEnd ? FIN : 0), sequence, payload, window,
        acknowledgment: seen[flow]!, kind })
    })
    const [whole, plain] = [pair(), pair({ folds: false })].map(({ lab, one, a, b }) => {
      send(a, frames)
      lab.run()
      const got = takeAll(b)
      const folded = one.count('tcp.acks_folded') + one.count('tcp.fins_folded')
      folds += folded
      return { known: learned(got), faults: got.filter(frame => faultOf(frame) !== '').length,
        came: one.count('frames.tap_in'), went: one.count('frames.underlay_out') + folded }
    })
    t.deepEqual(whole, plain)
    t.is(whole!.went, frames.length)
  }), { numRuns: 300 })
  t.true(folds > 100, `${folds} folded`)
})

/** Lengths and header fields that lie. */
const lie = fc.array(fc.tuple(fc.integer({ min: 12, max: 70 }), fc.integer({ min: 0, max: 255 })),
  { maxLength: 3 })
const lies = fc.array(fc.record({ changes: lie, octets: fc.integer({ min: 1, max: 140 }) }),
  { minLength: 3, maxLength: 3 })

test('nothing that a task may write leads out of its frame, or away from the count', t => {
  const { lab, one, a } = pair()
  const data = { payload: 64, flags: PSH | ACK }
  fc.assert(fc.property(lies, told => {
    const before = one.count('frames.tap_in')
    const frames = [{}, data, { flags: FIN | ACK, sequence: 164 }].map(sent)
    send(a, frames.map(({ octets, header }, n) => {
      const { changes, octets: rest } = told[n]!
      for (const [at, value] of changes) if (at < octets.length) octets[at] = value
      return { octets: octets.subarray(0, rest), header }
    }))
    lab.run()
    t.is(one.count('frames.tap_in') - before, 3)
  }), { numRuns: 3000 })
  t.true(one.count('tcp.acks_folded') > 0 && one.count('tcp.fins_folded') > 0)
})
