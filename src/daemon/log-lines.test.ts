// Octets become lines, and many who write do not run ahead of the one who reads.
import test from 'ava'
import { LINE_LETTERS_MAX, LINES_WAITING_MAX, LineSplitter, LogChannel } from './log-lines.ts'

test('lines out of pieces, also where a letter is torn', t => {
  const lines = new LineSplitter()
  const text = Buffer.from('eins\nzwölf\n\ndrei')
  const at = text.indexOf('ö') + 1
  t.deepEqual(lines.take(text.subarray(0, at)), ['eins'])
  t.deepEqual(lines.take(text.subarray(at)), ['zwölf', ''])
  t.deepEqual(lines.end(), ['drei'])
  t.deepEqual(lines.end(), [])
})

test('a line that never ends comes in pieces', t => {
  const lines = new LineSplitter()
  const long = 'x'.repeat(LINE_LETTERS_MAX + 1)
  t.deepEqual(lines.take(Buffer.from(long)), [long.slice(1), 'x'])
  t.deepEqual(lines.take(Buffer.from(`${long}\ny`)), [long.slice(1), 'x'])
  t.deepEqual(lines.end(), ['y'])
})

test('a channel gives everything in order, and then ends', async t => {
  const channel = new LogChannel<number>()
  const count = 3 * LINES_WAITING_MAX
  let written = 0
  const writing = (async () => {
    for (; written < count; written++) await channel.put(written)
    channel.end()
  })()
  await new Promise(setImmediate)
  t.is(written, LINES_WAITING_MAX, 'whoever writes waits')
  const seen: number[] = []
  for await (const one of channel.read()) seen.push(one)
  await writing
  t.deepEqual(seen, Array.from({ length: count }, (_, n) => n))
})

test('a channel whose reader has gone holds nobody up', async t => {
  const channel = new LogChannel<number>()
  await channel.put(1)
  for await (const one of channel.read()) {
    t.is(one, 1)
    break
  }
  for (let n = 0; n < 2 * LINES_WAITING_MAX; n++) await channel.put(n)
  t.pass()
})

test('a failure comes after what was written before it', async t => {
  const channel = new LogChannel<number>()
  await channel.put(1)
  channel.fail(new Error('gone'))
  const reading = channel.read()
  t.is((await reading.next()).value, 1)
  await t.throwsAsync(reading.next(), { message: 'gone' })
})
