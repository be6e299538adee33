// Messages about tasks that are about to stop: both ways, at their limits, with anything inside.
import test from 'ava'
import fc from 'fast-check'
import { USER_OCTETS_MAX } from '../mesh.ts'
import {
  decodeDrain, DRAIN_MESSAGE, DRAINED_TOLD_MAX, type DrainMessage, encodeDrain,
} from './drain-message.ts'

const SOME: DrainMessage = { kind: 'told', from: 'n1', tasks: ['t1', 't2'] }

test('the longest fits into a datagram, and gets through', t => {
  const id = 'z'.repeat(25)
  const longest: DrainMessage = { kind: 'asked', from: id,
    tasks: Array.from({ length: DRAINED_TOLD_MAX }, () => id) }
  const octets = encodeDrain(longest)
  t.true(octets.length <= USER_OCTETS_MAX)
  t.deepEqual(decodeDrain(octets), longest)
  t.deepEqual(decodeDrain(encodeDrain(SOME)), SOME)
})

const whole = encodeDrain(SOME)
const changed = (at: number, octet: number) => whole.with(at, octet)
const BAD: [name: string, octets: Uint8Array][] = [
  ['nothing', new Uint8Array(0)],
  ['for somebody else', changed(0, DRAIN_MESSAGE + 1)],
  ['of no kind', changed(1, 2)],
  ['without a sender', changed(2, 0)],
  ['not UTF-8', changed(3, 0xff)],
  ['fewer tasks than there are', changed(5, 1)],
  ['more tasks than there are', changed(5, 3)],
  ['cut short', whole.subarray(0, -1)],
  ['an octet too long', Uint8Array.of(...whole, 0)],
  ['about no task', encodeDrain({ ...SOME, tasks: [] })],
  ['a task without a name', encodeDrain({ ...SOME, tasks: [''] })],
  ['a name too long', encodeDrain({ ...SOME, tasks: ['z'.repeat(26)] })],
  ['too many tasks', encodeDrain({ ...SOME,
    tasks: Array.from({ length: DRAINED_TOLD_MAX + 1 }, () => 'z') })],
]
for (const [name, octets] of BAD) test(`refused: ${name}`, t => t.is(decodeDrain(octets), null))

test('any octets are a message or none, and nothing is thrown', t => {
  const noise = fc.uint8Array({ maxLength: 80 })
  fc.assert(fc.property(noise, fc.constantFrom(0, 1, 2), (octets, kind) => {
    decodeDrain(octets)
    const message = Uint8Array.of(DRAIN_MESSAGE, kind, ...octets)
    const read = decodeDrain(message)
    return read === null || Buffer.compare(encodeDrain(read), message) === 0
  }), { seed: 20_261_129, numRuns: 2000 })
  t.pass()
})
