// Two costs of a machine that decide how a path with processes in it compares with one without: what
// a system call takes, and how long a thread that sleeps does not know that it is wanted.
import { Worker } from 'node:worker_threads'
import { close } from '../src/kernel/syscalls.ts'

const CALLS = 20_000
const CALL_ROUNDS = 5
const WAKES = 200
const PAUSE_MS = 5 // long enough for the processor to sleep
const ANSWER_TIMEOUT_MS = 1000

const ASKED = 0
const ANSWERED = 1
const END = -1

/** Nanoseconds of a system call that does nothing: the least of some rounds. */
export function systemCallNs(): number {
  let leastMs = Infinity
  for (let round = 0; round < CALL_ROUNDS; round++) {
    const before = performance.now()
    for (let call = 0; call < CALLS; call++) close(-1)
    leastMs = Math.min(leastMs, performance.now() - before)
  }
  return Math.round(leastMs * 1e6 / CALLS)
}

const SLEEPER = `
  const turns = require('node:worker_threads').workerData
  for (let turn = 0; turn !== ${END}; turn = Atomics.load(turns, ${ASKED})) {
    Atomics.store(turns, ${ANSWERED}, turn)
    Atomics.notify(turns, ${ANSWERED})
    Atomics.wait(turns, ${ASKED}, turn)
  }`

/** Microseconds from waking a thread to its answer, which wakes us: the median. */
export async function wakeMicros(): Promise<number> {
  const turns = new Int32Array(new SharedArrayBuffer(8))
  const sleeper = new Worker(SLEEPER, { eval: true, workerData: turns })
  await new Promise(resolve => sleeper.once('online', resolve))
  const ended = new Promise(resolve => sleeper.once('exit', resolve))
  const took: number[] = []
  for (let turn = 1; turn <= WAKES; turn++) {
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
    const before = performance.now()
    ask(turns, turn)
    while (Atomics.load(turns, ANSWERED) !== turn
      && Atomics.wait(turns, ANSWERED, turn - 1, ANSWER_TIMEOUT_MS) !== 'timed-out');
    took.push((performance.now() - before) * 1000)
  }
  ask(turns, END)
  await ended
  return Math.round(took.sort((a, b) => a - b)[WAKES / 2] ?? NaN)
}

function ask(turns: Int32Array, turn: number): void {
  Atomics.store(turns, ASKED, turn)
  Atomics.notify(turns, ASKED)
}
