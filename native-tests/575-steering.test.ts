// The program that chooses among the queues of a TAP, in the kernel: each flow comes out of the
// queue of its worker, and devices of one kind and of the other are told apart.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import type { Test } from 'tap'
import { exec } from '../src/base/exec.ts'
import { makeArena } from '../src/kernel/arena.ts'
import { loadPacketProgram } from '../src/kernel/ebpf.ts'
import { probeSteering } from '../src/kernel/features.ts'
import { createNetns, deleteNetns, primeThreadPool, withNetns } from '../src/kernel/netns.ts'
import { close } from '../src/kernel/syscalls.ts'
import { makeTap, type Tap } from '../src/kernel/tap-device.ts'
import { makeTapArea, TapPort } from '../src/kernel/tap.ts'
import { SENDERS_MAX } from '../src/kernel/underlay.ts'
import { flowHash, makeFrame, parseFrame } from '../src/path/frame.ts'
import { makeSteering, workerOf } from '../src/path/steering.ts'
import { lacking } from './lib/needs.ts'

const NETNS = `tm-${process.pid}-steer`
const skip = lacking({ tools: ['perl', 'ip'] })
const FLOWS = 200

/** The program of so many workers, loaded. */
function steer(workers: number): number {
  return probeSteering(makeSteering(workers, SENDERS_MAX), (_feature, why) => { throw why })
}

function tap(name: string, count: number, steering: number): Tap {
  return withNetns(NETNS, () => makeTap({ name, offload: 0, count, steering }))
}

function closeAll({ fds }: Tap): void {
  for (const fd of fds) close(fd)
}

async function bringUp(name: string, n: number): Promise<void> {
  for (const words of [['link', 'set', name, 'up'],
    ['address', 'add', `10.9.${n}.1/24`, 'dev', name],
    ['neigh', 'replace', `10.9.${n}.2`, 'lladdr', '02:00:00:00:00:02', 'dev', name],
    ['address', 'add', `fd00:${n}::1/64`, 'dev', name, 'nodad'],
    ['-6', 'neigh', 'replace', `fd00:${n}::2`, 'lladdr', '02:00:00:00:00:02', 'dev', name]]) {
    const { code, stderr } = await exec(['ip', '-n', NETNS, ...words])
    if (code !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`)
  }
}

/** FLOWS datagrams from that many ports. */
function send(family: 'INET' | 'INET6', to: string): void {
  const pack = family === 'INET' ? `pack_sockaddr_in(7, inet_aton("${to}"))`
    : `pack_sockaddr_in6(7, inet_pton(AF_INET6, "${to}"))`
  const { status, stderr } = spawnSync('ip', ['netns', 'exec', NETNS, 'perl', '-MSocket=:all', '-e',
    `for (1..${FLOWS}) { socket(S, AF_${family}, SOCK_DGRAM, 0);
      defined(send(S, "x", 0, ${pack})) or die "$!" }`], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

/** The frames of each queue, as the hashes of their flows. Those of UDP only. */
function flowsOf({ fds }: Tap): number[][] {
  const ring = makeArena()
  const area = makeTapArea(ring)
  const frame = makeFrame()
  return fds.map(fd => {
    const port = new TapPort(ring, area, fd)
    const flows: number[] = []
    for (let count = port.receive(); count > 0; count = port.receive()) {
      for (let n = 0; n < count; n++) {
        parseFrame(ring.view, ring.at[n]!, ring.length[n]!, frame)
        if (frame.protocol === 17) flows.push(flowHash(ring.view, frame))
      }
    }
    return flows
  })
}

function checkFlows(t: Test, queues: number[][], workers: number): void {
  t.ok(queues.flat().length >= FLOWS, `${queues.flat().length} frames`)
  queues.forEach((flows, queue) => {
    const owners = new Set(flows.map(flow => workerOf(flow, workers, SENDERS_MAX)))
    t.same([...owners], [queue], `queue ${queue} has ${flows.length} flows, all its own`)
  })
}

if (skip === false) {
  t.before(async () => {
    await primeThreadPool()
    createNetns(NETNS)
  })
  t.teardown(() => deleteNetns(NETNS))
}

for (const workers of [2, 3, 8]) {
  t.test(`each flow comes out of the queue of its worker, of ${workers}`, { skip }, async t => {
    const steering = steer(workers)
    const name = `tap${workers}`
    const device = tap(name, workers, steering)
    t.ok(device.isMultiQueue)
    await bringUp(name, workers)
    for (let round = 0; round < 2; round++) {
      send('INET', `10.9.${workers}.2`)
      checkFlows(t, flowsOf(device), workers)
      send('INET6', `fd00:${workers}::2`)
      checkFlows(t, flowsOf(device), workers)
    }
    closeAll(device)
    close(steering)
  })
}

t.test('a device keeps its kind, and is used with any number of workers', { skip }, async t => {
  const steering = steer(2)
  const rows: [name: string, first: [number, number], then: [number, number][]][] = [
    ['one', [1, steering], [[2, steering], [1, steering], [3, -1]]],
    ['many', [2, steering], [[1, steering], [4, steering], [2, -1], [2, steering]]],
  ]
  for (const [n, [name, first, then]] of rows.entries()) {
    let device = tap(name, ...first)
    const isMany = device.isMultiQueue
    t.equal(isMany, name === 'many')
    await bringUp(name, 100 + n)
    for (const [count, program] of then) {
      closeAll(device)
      device = tap(name, count, program)
      t.equal(device.fds.length, count)
      t.equal(device.isMultiQueue, isMany && count > 1 && program >= 0, `${name} for ${count}`)
      send('INET', `10.9.${100 + n}.2`)
      const queues = flowsOf(device)
      t.ok(queues.flat().length >= FLOWS, 'every frame can be read')
      if (!device.isMultiQueue) t.ok(queues[0]!.length >= FLOWS, 'from the one queue')
    }
    closeAll(device)
  }
  close(steering)
})

t.test('a device that is no TAP is refused in words', { skip }, async t => {
  await exec(['ip', '-n', NETNS, 'link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'other2'])
  for (const count of [1, 2]) {
    t.throws(() => tap('other', count, -1), { message: /no TAP of ours stands in the way/ })
  }
})

t.test('a program that the verifier refuses is a feature that is not there', { skip }, async t => {
  const lacks: unknown[] = []
  const refused = new Uint8Array(8).fill(0xff)
  t.equal(probeSteering(refused, (feature, why) => lacks.push(feature, why)), -1)
  t.match(lacks, ['multiQueue', { syscall: 'bpf', errno: 22 }])
})

t.test('children that end meanwhile do not stop the verifier', { skip }, async t => {
  const program = makeSteering(8, SENDERS_MAX)
  const ends: Promise<unknown>[] = []
  let loaded = 0
  for (let child = 0; child < 100; child++) {
    ends.push(once(spawn('true'), 'exit'))
    // Signals of children come within these calls, each of which may meet EAGAIN by it.
    for (let load = 0; load < 5; load++) {
      close(loadPacketProgram(program))
      loaded += 1
    }
    await new Promise(setImmediate)
  }
  await Promise.all(ends)
  t.equal(loaded, 500)
})
