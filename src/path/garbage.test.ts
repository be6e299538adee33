// Forwarding makes no garbage: over three million frames the collector has nothing to do.
import test, { type ExecutionContext } from 'ava'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { GarbageReport, Traffic } from './garbage.test-kit.ts'

const PROGRAM = fileURLToPath(new URL('garbage.test-kit.ts', import.meta.url))
const FRAMES = 3_000_000
const TIMEOUT_MS = 60_000
/** What the engine itself may need meanwhile for its code: a third of an octet a frame. */
const HEAP_OCTETS_MAX = 1 << 20
/** No function is drawn into its caller: what may need the heap on the way, is put there. */
const APART = ['--no-turbo-inlining', '--no-maglev-inlining']
const APART_FRAMES = 1_000_000

async function measure(t: ExecutionContext, traffic: Traffic, batch: number, frames = FRAMES,
  engine: readonly string[] = []): Promise<GarbageReport> {
  t.timeout(TIMEOUT_MS)
  const { stdout } = await promisify(execFile)(process.execPath,
    [...engine, PROGRAM, traffic, String(batch), String(frames)], { timeout: TIMEOUT_MS })
  return JSON.parse(stdout) as GarbageReport
}

const ROWS: [name: string, traffic: Traffic, batch: number][] = [
  ['TAP to tunnel, 64 frames a breath', 'out', 64],
  ['TAP to tunnel, one frame a breath', 'out', 1],
  ['TAP to tunnel, every other frame goes with the next', 'out-folded', 64],
  ['TAP to tunnel, super-frames cut into segments', 'out-super', 8],
  ['tunnel to TAP, 64 frames a breath', 'in', 64],
  ['tunnel to TAP, one frame a breath', 'in', 1],
  ['tunnel to TAP, segments put together', 'in-train', 64],
  ['TAP to tunnel, where all is given', 'out-given', 64],
  ['tunnel to TAP, where all is given', 'in-given', 64],
  ['tunnel to TAP, segments put together where all is given', 'in-train-given', 64],
  ['to a virtual address', 'out-vip', 64],
  ['to a virtual address, each frame a new flow in a full table', 'out-vip-begin', 64],
  ['to a published port', 'out-host-vip', 64],
  ['to a published port, each frame a new flow in a full table', 'out-host-vip-begin', 64],
  ['from a task of a published port', 'in-host-vip', 64],
  ['from a backend', 'in-vip', 64],
  ['from a backend, segments put together', 'in-train-vip', 64],
]
for (const [name, traffic, batch] of ROWS) {
  test.serial(`no collection over 3 million frames: ${name}`, async t => {
    const report = await measure(t, traffic, batch)
    t.true(report.forwarded >= FRAMES)
    t.is(report.drops, 0)
    t.is(report.collections, 0)
    t.true(report.heapOctets < HEAP_OCTETS_MAX, `${report.heapOctets} octets`)
  })
}

// Which functions the engine draws into others depends on when it compiles them, and so on what
// else the machine does: forwarding must make no garbage either way. Only the clock, once in 64
// frames, gives a number that needs the heap; in a million frames these fill it once at most.
for (const traffic of ['out', 'in'] as const) {
  test.serial(`no number on the heap for a frame, where calls stay calls: ${traffic}`, async t => {
    const report = await measure(t, traffic, 64, APART_FRAMES, APART)
    t.true(report.forwarded >= APART_FRAMES)
    t.true(report.collections <= 1, `${report.collections} collections`)
  })
}

test.serial('one object for each frame would be seen', async t => {
  const report = await measure(t, 'wasteful', 64)
  t.true(report.collections > 0)
})
