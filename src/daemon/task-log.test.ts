import test, { type ExecutionContext } from 'ava'
import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readLogPart, readTaskLog } from './task-log.ts'

const DEADLINE_MS = 10_000

async function until(holds: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`waited in vain for: ${what}`)
    await delay(5)
  }
}

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tapmesh-log-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'task.log')
}

async function whole(path: string, tailLines?: number): Promise<string> {
  const { signal } = new AbortController()
  const ended = Promise.resolve()
  let text = ''
  for await (const part of readTaskLog({ path, follow: false, tailLines, ended, signal })) {
    text += part.toString()
  }
  return text
}

/** A reader that follows, what it has read, and a way to end the task. */
function follower(path: string) {
  const seen = { text: '' }
  const task = Promise.withResolvers<void>()
  const abort = new AbortController()
  const log = readTaskLog({
    path, follow: true, tailLines: undefined, ended: task.promise, signal: abort.signal,
  })
  const done = (async () => {
    for await (const part of log) seen.text += part.toString()
  })()
  return { seen, end: () => task.resolve(), abort: () => abort.abort(), done }
}

const lines = Array.from({ length: 30_000 }, (_, i) => `line ${i}`)
const tails: [what: string, text: string, tailLines: number | undefined, wanted: string][] = [
  ['all', 'a\nb\n', undefined, 'a\nb\n'],
  ['the last line', 'a\nb\n', 1, 'b\n'],
  ['the last line without its newline', 'a\nb', 1, 'b'],
  ['as many as there are', 'a\nb\n', 2, 'a\nb\n'],
  ['more than there are', 'a\nb\n', 9, 'a\nb\n'],
  ['none', 'a\nb\n', 0, ''],
  ['empty lines count', 'a\n\n\n', 2, '\n\n'],
  ['of an empty file', '', 5, ''],
  ['over several chunks', lines.join('\n'), 20_000, lines.slice(-20_000).join('\n')],
]
for (const [what, text, tailLines, wanted] of tails) {
  test(`tail: ${what}`, async t => {
    const path = await folderOf(t)
    await writeFile(path, text)
    t.is(await whole(path, tailLines), wanted)
  })
}

test('a file that is not there is an empty one', async t => {
  t.is(await whole(await folderOf(t)), '')
})

test('following ends when the task has ended and all is sent', async t => {
  const path = await folderOf(t)
  await writeFile(path, 'one\n')
  const { seen, end, done } = follower(path)
  await until(() => seen.text === 'one\n', 'the first line')
  await appendFile(path, 'two\n')
  await until(() => seen.text === 'one\ntwo\n', 'the second line')
  await appendFile(path, 'three\n')
  end()
  await done
  t.is(seen.text, 'one\ntwo\nthree\n')
})

test('following waits for a file that comes later', async t => {
  const path = await folderOf(t)
  const { seen, end, done } = follower(path)
  await writeFile(path, 'late\n')
  await until(() => seen.text === 'late\n', 'the line')
  end()
  await done
  t.is(seen.text, 'late\n')
})

test('a file that was cut to zero is read again from its start', async t => {
  const path = await folderOf(t)
  await writeFile(path, 'a long first part\n')
  const { seen, end, done } = follower(path)
  await until(() => seen.text !== '', 'the first part')
  await truncate(path, 0)
  await appendFile(path, 'new\n')
  await until(() => seen.text.endsWith('new\n'), 'what came after the cut')
  end()
  await done
  t.is(seen.text, 'a long first part\nnew\n')
})

test('following stops when it is told to', async t => {
  const path = await folderOf(t)
  await writeFile(path, 'x\n')
  const { seen, abort, done } = follower(path)
  await until(() => seen.text === 'x\n', 'the line')
  abort()
  await t.throwsAsync(done, { name: 'AbortError' }, 'that is not taken for the end of the log')
  t.is(seen.text, 'x\n')
})

test('a log in pieces, from its start, from its tail, and on', async t => {
  const path = await folderOf(t)
  t.deepEqual(await readLogPart(path, null, null, 9), { octets: new Uint8Array(), next: 0 })
  await writeFile(path, 'one\ntwo\nthree\n')
  const text = async (from: number | null, tail: number | null, octetsMax = 100) => {
    const { octets, next } = await readLogPart(path, from, tail, octetsMax)
    return [Buffer.from(octets).toString(), next]
  }
  t.deepEqual(await text(null, null, 6), ['one\ntw', 6])
  t.deepEqual(await text(6, null), ['o\nthree\n', 14])
  t.deepEqual(await text(14, null), ['', 14])
  t.deepEqual(await text(null, 1), ['three\n', 14])
  t.deepEqual(await text(99, null), ['one\ntwo\nthree\n', 14], 'it was cut meanwhile')
})
