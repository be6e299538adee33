// What can be known of ICMP echo without a network; the rest is a native test.
import test from 'ava'
import Module from 'node:module'
import { Worker } from 'node:worker_threads'
import { openEcho } from './echo.ts'

const options = { address: null, onAnswer: () => {}, onError: () => {}, nowMs: () => 0 }

test.serial('without the package it says what to do', t => {
  const loader = Module as unknown as { _load: (name: string, ...rest: unknown[]) => unknown }
  const load = loader._load
  loader._load = (name, ...rest) => {
    if (name === 'raw-socket') throw new Error('not compiled')
    return load(name, ...rest)
  }
  try {
    t.throws(() => openEcho(options),
      { code: 'TM_ABSENT', message: /optional package "raw-socket".*npm rebuild raw-socket/ })
  } finally {
    loader._load = load
  }
})

test.serial('it opens and closes where it may, else says what is missing', t => {
  try {
    const echo = openEcho(options)
    echo.close()
    echo.close()
    echo.send(0x7f000001, 84, 1)
    t.is(echo.counts().sent, 0)
  } catch (error) {
    t.like(error, { code: 'TM_ABSENT' })
  }
})

test('in a worker it is refused instead of silently never answered', async t => {
  const url = new URL('./echo.ts', import.meta.url)
  const worker = new Worker(`import(${JSON.stringify(url.href)}).then(({ openEcho }) =>
    openEcho({ address: null, onAnswer() {}, onError() {}, nowMs: () => 0 }))`, { eval: true })
  const error = await new Promise<Error>((resolve, reject) => {
    worker.once('error', resolve)
    worker.once('exit', () => reject(new Error('it was not refused')))
  })
  t.regex(error.message, /main thread/)
})
