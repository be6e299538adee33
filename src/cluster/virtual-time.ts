// Time that passes only from one thing to do to the next, so that hours of a cluster run in
// seconds, and the same seed gives the same run. One heap, ordered by time, then by order of entry.
import type { Clock } from '../base/clock.ts'

type Entry = { readonly atMs: number; readonly order: number; run: (() => void) | undefined }

export class VirtualTime implements Clock {
  readonly #heap: Entry[] = []
  #nowMs = 0
  #order = 0

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#nowMs
  }

  /** Runs `run` then, or now if that is past. Answers how to call it off. */
  at(atMs: number, run: () => void): () => void {
    this.#order += 1
    const entry: Entry = { atMs: Math.max(atMs, this.#nowMs), order: this.#order, run }
    this.#push(entry)
    return () => { entry.run = undefined }
  }

  /** Does everything up to `untilMs`, which then is the time. Answers how much that was. */
  run(untilMs: number): number {
    let count = 0
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || first.atMs > untilMs) break
      this.#pop()
      this.#nowMs = Math.max(this.#nowMs, first.atMs)
      if (first.run === undefined) continue
      first.run()
      count += 1
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
    return count
  }

  /** Time passes in which nobody gets to run; what was due is late then. */
  leap(byMs: number): void {
    this.#nowMs += byMs
  }

  /** Runs in small steps until `holds`; false when it does not hold within `withinMs`. */
  runUntil(holds: () => boolean, withinMs: number, stepMs = 10): boolean {
    const endMs = this.#nowMs + withinMs
    while (!holds()) {
      if (this.#nowMs >= endMs) return false
      this.run(Math.min(endMs, this.#nowMs + stepMs))
    }
    return true
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent]!, entry)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (isBefore(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
