// All keys of the mesh were replaced: for a while an old one goes on sealing, so that the others
// hear of it and fetch the new ones, and somewhat longer the old ones still open.
import type { Clock } from '../base/clock.ts'
import {
  EPOCH_GRACE_MS, EPOCH_SWITCH_MS, type KeyRing, keysForMesh, keysWhileSwitching,
} from '../cluster/identity/keyring.ts'
import type { MeshKeys } from '../cluster/mesh-events.ts'

export class KeySwitch {
  readonly #clock: Clock
  /** null: nothing is being replaced. */
  #sinceMs: number | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  begin(): void {
    this.#sinceMs = this.#clock.nowMs()
  }

  keysOf(ring: KeyRing): MeshKeys {
    const all = this.#ageMs() < EPOCH_SWITCH_MS ? keysWhileSwitching(ring) : keysForMesh(ring)
    return { primary: all[0]!, all }
  }

  /** Whether other keys are to be used now than when this was asked last; `over` ends it. */
  step(): 'same' | 'sealing' | 'over' {
    if (this.#sinceMs === null || this.#ageMs() < EPOCH_SWITCH_MS) return 'same'
    if (this.#ageMs() < EPOCH_GRACE_MS) return 'sealing'
    this.#sinceMs = null
    return 'over'
  }

  #ageMs(): number {
    return this.#sinceMs === null ? Infinity : this.#clock.nowMs() - this.#sinceMs
  }
}
