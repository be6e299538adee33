// LZW as Go's compress/lzw has it with least significant bits first and literals of 8 bits, which
// is how memberlist packs: codes of 9 to 12 bits, 256 clears the table, 257 ends. Others (GIF,
// Unix compress) differ in when codes grow wider and when the table is cleared.

const CLEAR = 256
const END = 257
const FIRST_WIDTH = 9
const LAST_WIDTH = 12
/** Our side clears the table when this code is reached, as Go's does. */
const LAST_CODE = 4095
const NONE = -1

/** Collects codes of changing width, the first bit lowest. */
class CodeWriter {
  width = FIRST_WIDTH
  #octets: Uint8Array
  #length = 0
  #bits = 0
  #count = 0

  constructor(expectedOctets: number) {
    this.#octets = new Uint8Array(expectedOctets + 16)
  }

  write(code: number): void {
    this.#bits |= code << this.#count
    this.#count += this.width
    while (this.#count >= 8) this.#flush()
  }

  end(): Uint8Array {
    if (this.#count > 0) this.#flush()
    return this.#octets.slice(0, this.#length)
  }

  #flush(): void {
    if (this.#length === this.#octets.length) this.#octets = grown(this.#octets, Infinity)
    this.#octets[this.#length] = this.#bits & 0xff
    this.#length += 1
    this.#bits >>>= 8
    this.#count -= 8
  }
}

/** Octet for octet what Go writes. */
export function lzwPack(octets: Uint8Array): Uint8Array {
  const writer = new CodeWriter(octets.length)
  /** Code of a known string, by the code of all but its last octet and that octet. */
  const codes = new Map<number, number>()
  let high = END
  const nextCode = (): boolean => {
    high += 1
    if (high === 1 << writer.width) writer.width += 1
    if (high < LAST_CODE) return true
    writer.write(CLEAR)
    writer.width = FIRST_WIDTH
    high = END
    codes.clear()
    return false
  }
  writer.write(CLEAR)
  let code = NONE
  for (const octet of octets) {
    const key = code * 256 + octet
    const longer = code === NONE ? octet : codes.get(key)
    if (longer !== undefined) {
      code = longer
      continue
    }
    writer.write(code)
    code = octet
    if (nextCode()) codes.set(key, high)
  }
  if (code !== NONE) {
    writer.write(code)
    nextCode()
  }
  writer.write(END)
  return writer.end()
}

/**
 * What was packed; 'too-large' when it is more than `octetsMax`, 'bad-compression' for a code that
 * cannot be, or when the end is missing. What follows the end is ignored.
 */
export function lzwUnpack(
  packed: Uint8Array, octetsMax: number,
): Uint8Array | 'too-large' | 'bad-compression' {
  const prefix = new Uint16Array(LAST_CODE + 1)
  const suffix = new Uint8Array(LAST_CODE + 1)
  let out: Uint8Array = new Uint8Array(Math.min(octetsMax, packed.length * 4 + 64))
  let length = 0
  let width = FIRST_WIDTH
  let high = END
  let last = NONE
  let bits = 0
  let count = 0
  let at = 0
  for (;;) {
    for (; count < width; count += 8) {
      if (at === packed.length) return 'bad-compression'
      bits |= packed[at]! << count
      at += 1
    }
    const code = bits & (1 << width) - 1
    bits >>>= width
    count -= width
    if (code === END) return out.slice(0, length)
    if (code === CLEAR) {
      width = FIRST_WIDTH
      high = END
      last = NONE
      continue
    }
    if (code > high) return 'bad-compression'
    // The next code to be given stands for the last string and its own first octet.
    const isNext = code === high && last !== NONE
    const octets = stringOctets(prefix, isNext ? last : code) + (isNext ? 1 : 0)
    if (length + octets > octetsMax) return 'too-large'
    while (length + octets > out.length) out = grown(out, octetsMax)
    const end = length + octets - (isNext ? 1 : 0)
    const first = writeString(out, end, prefix, suffix, isNext ? last : code)
    if (isNext) out[end] = first
    length += octets
    if (last !== NONE) {
      suffix[high] = first
      prefix[high] = last
    }
    last = code
    high += 1
    if (high < 1 << width) continue
    if (width < LAST_WIDTH) {
      width += 1
    } else {
      // The table is full: nothing is added to it until it is cleared.
      high = LAST_CODE
      last = NONE
    }
  }
}

function stringOctets(prefix: Uint16Array, code: number): number {
  let octets = 1
  for (let rest = code; rest >= CLEAR; rest = prefix[rest]!) octets += 1
  return octets
}

/** Writes the string of `code` so that it ends before `end`; its first octet. */
function writeString(
  out: Uint8Array, end: number, prefix: Uint16Array, suffix: Uint8Array, code: number,
): number {
  let at = end - 1
  let rest = code
  for (; rest >= CLEAR; rest = prefix[rest]!) {
    out[at] = suffix[rest]!
    at -= 1
  }
  out[at] = rest
  return rest
}

function grown(octets: Uint8Array, octetsMax: number): Uint8Array {
  const larger = new Uint8Array(Math.min(octetsMax, octets.length * 2 + 64))
  larger.set(octets)
  return larger
}
