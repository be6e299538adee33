// Keep-alives: doubt within a second, seen from both ends, not by replays, and with few messages.
import test from 'ava'
import fc from 'fast-check'
import {
  decodeKeepAlive, DOUBTS_MAX, encodeBeat, encodeDoubts, KEEP_ALIVE, type Beat,
} from './keepalive-message.ts'
import { KeepAlive, type KeepAliveEffect } from './keepalive.ts'
import { ReplayWindow, REPLAY_WINDOW } from './replay-window.ts'
import { KEEP_ALIVE_TIMINGS, neighbours } from './tunnel-peer.ts'

const DELAY_MS = 0.4
type Doubt = Extract<KeepAliveEffect, { type: 'doubt' }>

/** Members that are connected by wires; `passes` says what gets through. */
class Wires {
  nowMs = 0
  passes: (from: string, to: string, nowMs: number) => boolean = () => true
  readonly members = new Map<string, KeepAlive>()
  readonly doubts: (Doubt & { at: string; atMs: number })[] = []
  readonly recorded: { from: string; to: string; octets: Uint8Array }[] = []
  #onTheWay: { atMs: number; from: string; to: string; octets: Uint8Array }[] = []

  constructor(names: string[]) {
    for (const name of names) {
      this.members.set(name, new KeepAlive({ name, epoch: 100, nowMs: 0 }))
    }
    this.meet()
  }

  meet(): void {
    const names = [...this.members.keys()]
    for (const [name, member] of this.members) {
      this.take(name, member.setPeers(this.nowMs, names.filter(other => other !== name)))
    }
  }

  take(at: string, effects: KeepAliveEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'doubt') this.doubts.push({ ...effect, at, atMs: this.nowMs })
      if (effect.type !== 'send') continue
      this.recorded.push({ from: at, to: effect.to, octets: effect.octets })
      if (!this.passes(at, effect.to, this.nowMs)) continue
      const { octets, to } = effect
      this.#onTheWay.push({ atMs: this.nowMs + DELAY_MS, from: at, to, octets })
    }
  }

  runFor(forMs: number, frozen = new Set<string>()): void {
    const endMs = this.nowMs + forMs
    for (; this.nowMs < endMs; this.nowMs += 1) {
      const isThere = ({ atMs, to }: { atMs: number; to: string }) => atMs <= this.nowMs
        && !frozen.has(to)
      const arrived = this.#onTheWay.filter(isThere)
      this.#onTheWay = this.#onTheWay.filter(packet => !isThere(packet))
      for (const { from, octets, to } of arrived) {
        const member = this.members.get(to)
        if (member !== undefined) this.take(to, member.receive(this.nowMs, from, octets))
      }
      for (const [name, member] of this.members) {
        if (!frozen.has(name) && this.nowMs >= member.nextMs()) {
          this.take(name, member.tick(this.nowMs))
        }
      }
    }
  }
}

test('where all is well nobody is in doubt, and round trips are known', t => {
  const wires = new Wires(['a', 'b', 'c'])
  wires.runFor(60_000)
  t.deepEqual(wires.doubts, [])
  const tunnel = wires.members.get('a')?.tunnel(wires.nowMs, 'b')
  t.is(tunnel?.doubt, null)
  t.is(tunnel?.lossIn, 0)
  t.true(tunnel !== undefined && tunnel.roundTripMs !== null && tunnel.roundTripMs >= 0
    && tunnel.roundTripMs < 4, `${tunnel?.roundTripMs}`)
  const sent = wires.members.get('a')?.counters.beatsOut ?? 0
  t.true(Math.abs(sent - 2 * 60_000 / 300) <= 4, `${sent}`)
})

test('who is silent is in doubt within a second, and not when it is heard again', t => {
  const wires = new Wires(['a', 'b', 'c'])
  wires.runFor(5000)
  const cutMs = wires.nowMs
  wires.passes = (from, to) => from !== 'b' && to !== 'b'
  wires.runFor(3000)
  const atA = wires.doubts.filter(({ at }) => at === 'a')
  t.is(atA.length, 1)
  t.like(atA[0], { name: 'b', reason: 'silent' })
  t.true(atA[0]!.atMs - cutMs <= 1000, `${atA[0]!.atMs - cutMs}`)
  t.is(wires.doubts.filter(({ at }) => at === 'b').length, 2, 'it hears nobody either')
  wires.passes = () => true
  wires.runFor(1000)
  t.is(wires.doubts.at(-1)?.reason, null)
  t.is(wires.members.get('a')?.tunnel(wires.nowMs, 'b')?.doubt, null)
})

test('nothing is left of a doubt when a member is gone', t => {
  const wires = new Wires(['a', 'b'])
  wires.runFor(3000)
  wires.passes = () => false
  wires.runFor(2000)
  const effects = wires.members.get('a')!.setPeers(wires.nowMs, [])
  t.like(effects[0], { type: 'doubt', name: 'b', reason: null })
})

test('a loss in one direction is seen at both ends', t => {
  const wires = new Wires(['a', 'b', 'c'])
  wires.runFor(5000)
  wires.passes = (from, to) => !(from === 'a' && to === 'b')
  wires.runFor(3000)
  t.is(wires.members.get('b')?.tunnel(wires.nowMs, 'a')?.doubt, 'silent')
  t.is(wires.members.get('a')?.tunnel(wires.nowMs, 'b')?.doubt, 'deaf')
  t.is(wires.members.get('c')?.tunnel(wires.nowMs, 'a')?.doubt, null)
  wires.passes = () => true
  wires.runFor(1000)
  t.is(wires.members.get('a')?.tunnel(wires.nowMs, 'b')?.doubt, null)
})

test('loss is measured', t => {
  const wires = new Wires(['a', 'b'])
  let count = 0
  wires.passes = (from, to) => {
    if (from === 'a' && to === 'b') count += 1
    return count % 4 !== 0
  }
  wires.runFor(120_000)
  const loss = wires.members.get('b')?.tunnel(wires.nowMs, 'a')?.lossIn ?? 0
  t.true(loss > 0.15 && loss < 0.35, `${loss}`)
})

test('one or two lost messages in a row are no doubt', t => {
  const wires = new Wires(['a', 'b'])
  let count = 0
  wires.passes = () => {
    count += 1
    return count % 6 > 3
  }
  wires.runFor(60_000)
  t.deepEqual(wires.doubts, [])
})

test('recorded messages have no effect, also not those of an earlier boot', t => {
  const wires = new Wires(['a', 'b'])
  wires.runFor(3000)
  const recorded = wires.recorded.filter(({ from }) => from === 'b').slice()
  const a = wires.members.get('a')!
  wires.passes = () => false
  wires.runFor(950)
  for (const { octets } of recorded) wires.take('a', a.receive(wires.nowMs, 'b', octets))
  wires.runFor(2000)
  t.is(a.tunnel(wires.nowMs, 'b')?.doubt, 'silent')
  t.true(a.counters.replays >= recorded.length - 2)
  const old: Beat = {
    kind: 'beat', epoch: 99, counter: 5000, heardEpoch: 0, heardCounter: 0, heardAgoMs: 0,
    isLast: false,
  }
  wires.take('a', a.receive(wires.nowMs, 'b', encodeBeat(old)))
  t.is(a.tunnel(wires.nowMs, 'b')?.doubt, 'silent')
  wires.take('a', a.receive(wires.nowMs, 'b', encodeBeat({ ...old, epoch: 101, counter: 1 })))
  t.is(a.tunnel(wires.nowMs, 'b')?.doubt, null, 'a new boot is heard')
})

test('what is malformed or from a stranger is counted and dropped', t => {
  const member = new KeepAlive({ name: 'a', epoch: 1, nowMs: 0 })
  member.setPeers(0, ['b'])
  t.deepEqual(member.receive(1, 'b', Uint8Array.of(KEEP_ALIVE)), [])
  const beat = encodeBeat({
    kind: 'beat', epoch: 1, counter: 1, heardEpoch: 0, heardCounter: 0, heardAgoMs: Infinity,
    isLast: false,
  })
  t.deepEqual(member.receive(1, 'c', beat), [])
  t.like(member.counters, { malformed: 1, strangers: 1, beatsIn: 0 })
})

test('a process that stood still doubts nobody for that', t => {
  const wires = new Wires(['a', 'b'])
  wires.runFor(3000)
  wires.runFor(5000, new Set(['a']))
  const before = wires.doubts.filter(({ at }) => at === 'a').length
  wires.runFor(3000)
  t.is(wires.doubts.filter(({ at }) => at === 'a').length, before)
  t.is(wires.members.get('a')?.counters.stalls, 1)
})

test('in a large cluster only neighbours are kept up, and the others learn of doubts too', t => {
  const names = Array.from({ length: 40 }, (_, i) => `n${String(i).padStart(2, '0')}`)
  const wires = new Wires(names)
  wires.runFor(3000)
  for (const member of wires.members.values()) {
    t.true(member.counters.beatsOut <= 11 * KEEP_ALIVE_TIMINGS.peersMax)
  }
  t.deepEqual(wires.doubts, [])
  const cutMs = wires.nowMs
  wires.passes = (from, to) => from !== 'n07' && to !== 'n07'
  wires.runFor(2000)
  const doubting = wires.doubts.filter(({ at, name, reason }) => name === 'n07' && at !== 'n07'
    && reason !== null)
  t.is(doubting.length, names.length - 1)
  t.true(doubting.every(({ atMs }) => atMs - cutMs <= 1010))
  t.true(doubting.some(({ reason }) => reason === 'reported'))
  wires.passes = () => true
  wires.runFor(3000)
  for (const [name, member] of wires.members) {
    if (name !== 'n07') t.is(member.tunnel(wires.nowMs, 'n07')?.doubt, null, name)
  }
})

test('a cluster that grows beyond the neighbours makes no false doubts', t => {
  const wires = new Wires(Array.from({ length: 17 }, (_, i) => `n${i}`))
  wires.runFor(3000)
  for (let i = 17; i < 30; i += 1) {
    wires.members.set(`n${i}`, new KeepAlive({ name: `n${i}`, epoch: 100, nowMs: wires.nowMs }))
    wires.meet()
    wires.runFor(1500)
  }
  t.deepEqual(wires.doubts, [])
})

test('neighbours: who is sent to listens', t => {
  const names = Array.from({ length: 30 }, (_, i) => `m${i}`)
  for (const name of names) {
    const { sentTo } = neighbours(name, names.filter(other => other !== name), 8)
    t.is(sentTo.size, 8)
    for (const other of sentTo) {
      const theirs = neighbours(other, names.filter(third => third !== other), 8)
      t.true(theirs.listenedTo.has(name))
    }
  }
  t.deepEqual([...neighbours('b', ['a', 'c'], 8).sentTo], ['c', 'a'])
})

test('a replay window takes each number once, in any order, not from too long ago', t => {
  const window = new ReplayWindow()
  t.true(window.accept(1, 5))
  t.false(window.accept(1, 5))
  t.true(window.accept(1, 3), 'overtaken')
  t.true(window.accept(1, 5 + REPLAY_WINDOW - 1))
  t.false(window.accept(1, 5), 'seen, at the edge')
  t.true(window.accept(1, 6))
  t.false(window.accept(1, 4), 'too old, though it never came')
  t.true(window.accept(1, 1e9))
  t.false(window.accept(1, 5 + REPLAY_WINDOW))
  t.true(window.accept(1, 1e9 - 1))
  t.false(window.accept(0, 2e9), 'another boot, before')
  t.true(window.accept(2, 0), 'a new boot begins anew')
})

test('a replay window agrees with a set of all that came', t => {
  const numbers = fc.array(fc.integer({ min: 0, max: 4000 }), { maxLength: 300 })
  t.notThrows(() => fc.assert(fc.property(numbers, came => {
    const window = new ReplayWindow()
    const seen = new Set<number>()
    let highest = -1
    for (const number of came) {
      const expected = !seen.has(number) && number > highest - REPLAY_WINDOW
      if (window.accept(1, number) !== expected) return false
      if (expected) seen.add(number)
      highest = Math.max(highest, number)
    }
    return true
  }), { seed: 20_260_901 }))
})

test('messages come back as they were', t => {
  const beat: Beat = {
    kind: 'beat', epoch: 0xffff_ffff, counter: 7, heardEpoch: 8, heardCounter: 9, heardAgoMs: 12.3,
    isLast: true,
  }
  const read = decodeKeepAlive(encodeBeat(beat))
  t.like(read, { ...beat, heardAgoMs: (read as Beat).heardAgoMs })
  t.true(Math.abs((read as Beat).heardAgoMs - 12.3) < 0.05)
  t.like(decodeKeepAlive(encodeBeat({ ...beat, heardAgoMs: 1e9 })), { heardAgoMs: Infinity })
  const names = Array.from({ length: DOUBTS_MAX + 5 }, (_, i) => `node-${i}-é`)
  t.like(decodeKeepAlive(encodeDoubts({ kind: 'doubts', epoch: 1, counter: 2, names })),
    { kind: 'doubts', epoch: 1, counter: 2, names: names.slice(0, DOUBTS_MAX) })
})

test('any octets are a message or none, and nothing is thrown', t => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(0, 1, 2, 3),
    (octets, kind) => {
      decodeKeepAlive(octets)
      decodeKeepAlive(Uint8Array.of(KEEP_ALIVE, kind, ...octets))
      return true
    }), { seed: 20_260_902, numRuns: 2000 })
  t.pass()
})
