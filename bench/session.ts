// One session of measurements: rounds over settings and subjects, one data path at a time. Subjects
// take turns within a round, so that a machine that grows slower over minutes slows all of them.
import type { Plan } from './plan.ts'
import { probesFor } from './plan.ts'
import type { Hosts, Setting } from './hosts.ts'
import { openHosts } from './hosts.ts'
import { takeLock } from './lock.ts'
import type { Probe } from './probes.ts'
import { prepare } from './probes.ts'
import { leastDisturbed } from './quiet.ts'
import type { RowKey } from './rows.ts'
import type { DataPath, Subject } from './subjects.ts'

const FAILURES_MAX = 2 // of one subject in one setting; then it is not visited again

export type Sample = Readonly<{
  setting: Setting
  subject: string
  round: number
  row: RowKey
  value: number
  /** Processors that others kept busy meanwhile */
  foreignCores: number
}>

export type Failure = Readonly<{
  setting: Setting; subject: string; round: number; message: string
}>

export type Outcome = Readonly<{
  samples: readonly Sample[]
  failures: readonly Failure[]
  /** Measurements done again because others used the machine */
  repeated: number
  seconds: number
  /** Of these, spent waiting for others who held the lock */
  waitedSeconds: number
}>

export class Session {
  readonly #plan: Plan
  readonly #say: (line: string) => void
  readonly #samples: Sample[] = []
  readonly #failures: Failure[] = []
  #hosts: Hosts | null = null
  #repeated = 0
  #repeatMs = 0
  #waitedMs = 0
  #closed = false

  constructor(plan: Plan, say: (line: string) => void) {
    this.#plan = plan
    this.#say = say
  }

  async measure(settings: readonly Setting[], subjects: readonly Subject[]): Promise<Outcome> {
    const startMs = performance.now()
    let roundMs = 0 // of the last round, without waiting for others
    for (let round = 0; round < this.#plan.rounds; round++) {
      const endMs = performance.now() - startMs + roundMs
      if (round >= this.#plan.roundsMin && endMs > this.#plan.budgetS * 1000) break
      roundMs = 0
      for (const setting of settings) {
        for (let turn = 0; turn < subjects.length; turn++) {
          const subject = subjects[(turn + round) % subjects.length]
          if (subject !== undefined) roundMs += await this.#visit(setting, subject, round)
        }
      }
    }
    const seconds = (performance.now() - startMs) / 1000
    const [samples, failures, repeated] = [this.#samples, this.#failures, this.#repeated]
    return { samples, failures, repeated, seconds, waitedSeconds: this.#waitedMs / 1000 }
  }

  /** Take the standing hosts down; what is under way fails. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#hosts?.close()
  }

  /** Milliseconds that the visit took, without waiting for the lock. */
  async #visit(setting: Setting, subject: Subject, round: number): Promise<number> {
    const probes = probesFor(this.#plan.mode, setting, round, subject.name)
    const failed = this.#failures.filter(failure => {
      return failure.setting === setting && failure.subject === subject.name
    })
    if (this.#closed || probes.length === 0 || failed.length >= FAILURES_MAX) return 0
    const askedMs = performance.now()
    const unlock = await takeLock()
    const startMs = performance.now()
    this.#waitedMs += startMs - askedMs
    try {
      const hosts = this.#hosts = await openHosts(setting)
      const path = await subject.raise(hosts.pair)
      await prepare(path, this.#plan.effort)
      for (const probe of probes) await this.#probe(probe, path, { setting, subject, round })
    } catch (error) {
      if (this.#closed) return 0
      const message = error instanceof Error ? error.message : String(error)
      this.#failures.push({ setting, subject: subject.name, round, message })
      this.#say(`${setting} ${subject.name}: ${message}`)
    } finally {
      await this.#hosts?.close()
      this.#hosts = null
      await unlock()
    }
    const tookMs = performance.now() - startMs
    this.#say(`round ${round + 1} ${setting} ${subject.name}: ${(tookMs / 1000).toFixed(1)} s`)
    return tookMs
  }

  /** Keep the readings of the least disturbed attempt. */
  async #probe(
    probe: Probe, path: DataPath, at: { setting: Setting; subject: Subject; round: number },
  ): Promise<void> {
    const { effort, repeatsMax, repeatBudgetS } = this.#plan
    const best = await leastDisturbed(() => probe(path, effort), (repeats, repeatMs) =>
      repeats < repeatsMax && this.#repeatMs + repeatMs <= repeatBudgetS * 1000)
    this.#repeated += best.repeats
    this.#repeatMs += best.repeatMs
    const common = { ...at, subject: at.subject.name, foreignCores: best.foreignCores }
    for (const [row, value] of Object.entries(best.value) as [RowKey, number][]) {
      this.#samples.push({ ...common, row, value })
    }
  }
}

