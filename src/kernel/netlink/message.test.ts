// Attributes as they lie in a message.
import test from 'ava'
import { formatBody, macOf, parseAttributes, text, textOf, u32, u32Of } from './message.ts'

// As the kernel has it: length 8 and type 4, MTU 1450; length 9 and type 3, "tap0" and its zero,
// padded to a multiple of four; the numbers in the order of the machine.
const header = Buffer.from('a5a5a5a5', 'hex')
const words = Buffer.from(Uint16Array.of(8, 4).buffer)
const more = Buffer.from(Uint16Array.of(9, 3).buffer)
const body = Buffer.concat([header, words, u32(1450), more, Buffer.from('tap0\0')])

test('attributes follow the header, each at a multiple of four', t => {
  t.deepEqual(formatBody(header, [[4, u32(1450)], [3, text('tap0')]]), body)
  const attributes = parseAttributes(body.subarray(4))
  t.is(u32Of(attributes, 4), 1450)
  t.is(textOf(attributes, 3), 'tap0')
  t.is(u32Of(attributes, 5), 0)
  t.is(textOf(attributes, 5), null)
})

test('the mark of a nested attribute is no part of its type', t => {
  const nested = Buffer.concat([Buffer.from(Uint16Array.of(8, 0x8000 | 18).buffer), u32(7)])
  t.is(u32Of(parseAttributes(nested), 18), 7)
})

test('a hardware address of six octets is a MAC', t => {
  const attributes = new Map([[1, Buffer.from('02420a000108', 'hex')], [2, Buffer.alloc(4)]])
  t.is(macOf(attributes, 1), '02:42:0a:00:01:08')
  t.is(macOf(attributes, 2), null)
  t.is(macOf(attributes, 3), null)
})

test('lengths that do not fit are refused', t => {
  t.throws(() => parseAttributes(body.subarray(4, -2)), { message: /length/ })
  t.throws(() => parseAttributes(Buffer.from('0300', 'hex')), { message: /data/ })
  t.throws(() => parseAttributes(Buffer.from('00000000', 'hex')), { message: /length/ })
})
