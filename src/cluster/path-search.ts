// Which size a path carries: a search between what passes and what does not, and a watch over what
// was found. After packetization layer path MTU discovery (RFC 4821, RFC 8899): a size is believed
// to pass when a packet of it was answered, and to fail when three were not while small ones were.
// Words of routers only make it quicker: what they name is tried, and so is one octet more.
import { assert } from '../base/assert.ts'

/** No path is taken for narrower: RFC 791 section 3.1 asks every host to take so much. */
export const PATH_MTU_MIN_OCTETS = 576
/** How often a size is tried before it is believed to fail: MAX_PROBES of RFC 8899 section 5.1.2 */
export const TRIES_MAX = 3

export class PathSearch {
  readonly #deviceMtu: number
  /** Passes, or is below all that is tried. */
  #low = PATH_MTU_MIN_OCTETS - 1
  /** Fails, or is above all that is tried. */
  #high: number
  #size: number
  #tries = 0
  #found: number | null = null
  /** What a router named last. */
  #named = 0
  #searching = true
  /** The last search had a size that failed in silence, so that loss could have deceived it. */
  #silent = false

  /** @param deviceMtuOctets of the device that leads to the path: nothing longer is tried */
  constructor(deviceMtuOctets: number) {
    this.#deviceMtu = Math.max(PATH_MTU_MIN_OCTETS, deviceMtuOctets)
    this.#high = this.#deviceMtu + 1
    this.#size = this.#deviceMtu
  }

  /** What the path carries, octets; PATH_MTU_MIN_OCTETS may also mean less. Null: not known yet. */
  get foundOctets(): number | null {
    return this.#found
  }

  get isSearching(): boolean {
    return this.#searching
  }

  get wasSilent(): boolean {
    return this.#silent
  }

  /** What to try next: of a search, or to see whether what was found still passes. */
  get sizeOctets(): number {
    return this.#size
  }

  get tries(): number {
    return this.#tries
  }

  /** Whether a wider path would be of use. */
  get mayRise(): boolean {
    return !this.#searching && this.#found !== null && this.#found < this.#deviceMtu
  }

  tried(): void {
    this.#tries += 1
  }

  /** Nothing can be said of the tries so far. */
  forgetTries(): void {
    this.#tries = 0
  }

  /** See whether the path carries more by now: the most first, then one octet more. */
  rise(): void {
    assert(this.mayRise, 'a search upwards has somewhere to go')
    this.#begin(this.#found!, this.#deviceMtu + 1, this.#deviceMtu)
  }

  /** A packet of `sizeOctets` was answered. */
  passed(): void {
    this.#tries = 0
    if (!this.#searching) return
    this.#low = this.#size
    this.#goOn(0)
  }

  /** Three packets of it were not answered, while a small one was. */
  failed(): void {
    if (this.#searching) {
      this.#silent = true
      this.#high = this.#size
      this.#goOn(0)
    } else {
      // Loss can do that as well, so the search begins with the same size.
      this.#begin(PATH_MTU_MIN_OCTETS - 1, this.#size + 1, this.#size)
    }
  }

  /**
   * A router, or our own host, does not let it pass.
   * @param mtuOctets what would pass there, 0 when that was not said
   */
  tooLarge(mtuOctets: number): void {
    const failed = this.#size
    if (!this.#searching) this.#begin(PATH_MTU_MIN_OCTETS - 1, failed, failed)
    this.#high = failed
    this.#goOn(mtuOctets)
  }

  #begin(low: number, high: number, first: number): void {
    this.#low = low
    this.#high = high
    this.#size = first
    this.#tries = 0
    this.#silent = false
    this.#searching = true
  }

  #goOn(hintOctets: number): void {
    this.#tries = 0
    if (this.#high - this.#low > 1) {
      this.#size = this.#nextSize(hintOctets)
      return
    }
    this.#searching = false
    this.#found = Math.max(this.#low, PATH_MTU_MIN_OCTETS)
    this.#size = this.#found
  }

  #nextSize(hintOctets: number): number {
    if (hintOctets > this.#low && hintOctets < this.#high) {
      this.#named = hintOctets
      return hintOctets
    }
    // What was named or found before and passes is likely to be the limit: see one octet more.
    if (this.#low === this.#named || this.#low === this.#found) return this.#low + 1
    return this.#low + Math.ceil((this.#high - this.#low) / 2)
  }
}
