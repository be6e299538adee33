// The wake descriptor stays good for the life of the process, whatever the collector does.
import test from 'ava'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { addressOf, close, read } from './syscalls.ts'
import { makeWake, wake } from './wake.ts'

test('waking adds one, also after collections and new memory', t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const fd = makeWake()
  const count = new BigUint64Array(1)
  const countAddress = addressOf(new Uint8Array(count.buffer))
  const taken: ArrayBuffer[] = []
  for (let round = 0; round < 8; round++) {
    collect()
    for (let i = 0; i < 1000; i++) taken.push(new ArrayBuffer(8))
    wake(fd)
    t.is(read(fd, countAddress, 8), 8)
    t.is(count[0], 1n)
  }
  t.is(taken.length, 8000)
  close(fd)
})
