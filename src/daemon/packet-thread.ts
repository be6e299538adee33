// Entry of the packet worker: opens the kernel's ports over one arena, then breathes until it is
// told to stop. It never returns to its event loop; messages are taken when the wake descriptor is
// ready.
import { flushCompileCache } from 'node:module'
import { getPriority, setPriority } from 'node:os'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { assert } from '../base/assert.ts'
import { systemClock } from '../base/clock.ts'
import { makeArena } from '../kernel/arena.ts'
import { makeTapArea, TapPort } from '../kernel/tap.ts'
import { UdpPort } from '../kernel/udp-port.ts'
import { Epoll } from '../kernel/wait.ts'
import { breathe, TOKEN_FIRST_PORT, TOKEN_UNDERLAY, TOKEN_WAKE } from '../path/engine.ts'
import { NETWORK_VNI, PORT_FD, PORT_ID, PORT_NETWORK, PORT_READ } from '../path/image.ts'
import { errorFromHost } from '../path/ingress.ts'
import { forget } from '../path/learned.ts'
import { makeLearnedRows } from '../path/learned-rows.ts'
import { makeNews } from '../path/news.ts'
import { adoptTables, makePlane } from '../path/plane.ts'
import { makeTables, networkWord, portWord, type Tables } from '../path/tables.ts'
import type { FromWorker, ToWorker, WorkerSpec } from './packet-worker.ts'

/** An idle worker looks at its clock this often, to let learned entries age. */
const IDLE_MS = 1000

assert(parentPort !== null, 'packet-thread.ts is started as a worker')
const control = parentPort
const spec = workerData as WorkerSpec

const ring = makeArena()
const tapArea = makeTapArea(ring)
const plane = makePlane({
  ring,
  underlay: new UdpPort(ring, spec.sockets, spec.worker),
  counters: spec.counters,
  clock: systemClock,
  inheritDscp: spec.inheritDscp,
  folds: spec.folds,
  offload: spec.offload,
  seed: spec.seed,
  news: makeNews(spec.news, spec.worker),
  workers: spec.workers,
  flows: spec.flows,
})
const epoll = new Epoll(ring, spec.spinMicros)
/**
 * Held TAPs by slot, each with the id of its port. One whose device is gone stays open until the
 * tables drop it: a table image that is under way may still name its descriptor.
 */
const taps = new Map<number, { id: number; tap: TapPort }>()

epoll.makeWatched(spec.wakeFd, TOKEN_WAKE)
epoll.makeWatched(spec.sockets.receivers[spec.worker]!, TOKEN_UNDERLAY)
say({ type: 'ready', nice: takePriority() })
flushCompileCache() // the next start need not load the TypeScript compiler
run()

function run(): void {
  for (;;) {
    const woken = breathe(plane, epoll, IDLE_MS)
    if (plane.deadSlot >= 0) buryPort(plane.deadSlot, plane.deadErrno)
    if (woken && !takeMessages()) return
  }
}

/** The nice value that this thread has got: for Linux a thread is what others call a process. */
function takePriority(): number {
  try {
    setPriority(spec.nice)
  } catch {
    // Without CAP_SYS_NICE it stays as it is, which the daemon logs.
  }
  return getPriority()
}

/** Answers false when it is time to stop. */
function takeMessages(): boolean {
  epoll.drain(spec.wakeFd)
  for (;;) {
    const received = receiveMessageOnPort(control) as { message: ToWorker } | undefined
    if (received === undefined) return true
    const { message } = received
    if (message.type === 'stop') return stop()
    if (message.type === 'image') adopt(makeTables(message.image))
    else if (message.type === 'error') errorFromHost(plane, message.packet)
    else {
      const rows = message.type === 'alive' ? []
        : makeLearnedRows(plane.learned, plane.nowSeconds)
      say({ type: 'answer', ask: message.ask, rows })
    }
  }
}

function adopt(tables: Tables): void {
  for (const [slot, held] of taps) {
    const stays = slot < tables.slotCount && portWord(tables, slot, PORT_NETWORK) >= 0
      && portWord(tables, slot, PORT_ID) === held.id
      && portWord(tables, slot, PORT_FD) === held.tap.fd
    if (!stays) closePort(slot)
  }
  forgetRemoved(tables)
  for (let slot = 0; slot < tables.slotCount; slot++) {
    if (portWord(tables, slot, PORT_NETWORK) < 0 || taps.has(slot)) continue
    const tap = new TapPort(ring, tapArea, portWord(tables, slot, PORT_FD))
    if (portWord(tables, slot, PORT_READ) === 1) epoll.makeWatched(tap.fd, TOKEN_FIRST_PORT + slot)
    plane.ports[slot] = tap
    taps.set(slot, { id: portWord(tables, slot, PORT_ID), tap })
  }
  adoptTables(plane, tables)
}

/** What was learned of a network that is no more goes with it. */
function forgetRemoved(tables: Tables): void {
  const kept = new Set<number>()
  for (let n = 0; n < tables.networkCount; n++) kept.add(networkWord(tables, n, NETWORK_VNI))
  for (let n = 0; n < plane.tables.networkCount; n++) {
    const vni = networkWord(plane.tables, n, NETWORK_VNI)
    if (!kept.has(vni)) forget(plane.learned, vni, -1)
  }
}

function closePort(slot: number): void {
  const held = taps.get(slot)
  if (held === undefined) return
  releasePort(slot, held.tap)
  held.tap.close()
  taps.delete(slot)
}

/** Nothing is read from it or written to it any more. */
function releasePort(slot: number, tap: TapPort): void {
  const network = portWord(plane.tables, slot, PORT_NETWORK)
  if (network >= 0) forget(plane.learned, networkWord(plane.tables, network, NETWORK_VNI), slot)
  epoll.makeUnwatched(tap.fd)
  plane.ports[slot] = undefined
}

/** The kernel has taken the device away, with its namespace perhaps; the control side decides. */
function buryPort(slot: number, errno: number): void {
  const held = taps.get(slot)
  plane.deadSlot = -1
  if (held === undefined) return
  releasePort(slot, held.tap)
  say({ type: 'port-dead', portId: held.id, fd: held.tap.fd, errno })
}

function stop(): false {
  for (const slot of taps.keys()) closePort(slot)
  epoll.close()
  control.close()
  return false
}

function say(message: FromWorker): void {
  control.postMessage(message)
}
