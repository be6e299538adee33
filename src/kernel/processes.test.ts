// Processes by pid: whom a signal is for, and whether one is still the one that was meant.
import test from 'ava'
import { isProcess, processStart, signalProcess } from './processes.ts'

test('no signal goes to our own group, to everybody, or to the first process', t => {
  for (const pid of [0, -0, 1, -1, null as unknown as number, NaN]) {
    t.throws(() => signalProcess(pid, 'SIGCONT'), { message: /not for our own/ }, String(pid))
  }
})

test('a process that is gone already is no error', t => {
  // Above the highest that Linux gives (PID_MAX_LIMIT, linux/threads.h).
  t.notThrows(() => signalProcess(2 ** 22 + 1, 'SIGCONT'))
})

test('a process is known by its start', t => {
  const start = processStart(process.pid)!
  t.regex(start, /^\d+$/)
  t.true(isProcess(process.pid, start))
  t.false(isProcess(process.pid, '1'))
  t.is(processStart(2 ** 22 + 1), null)
})
