// Lines from a stream, bounded: what comes is kept up to a limit, then the stream is cut.
import type { Duplex } from 'node:stream'

const LINE_END = 0x0a

/** Reads lines one after the other. It owns the stream's data from its making on. */
export class LineReader {
  readonly #stream: Duplex
  readonly #octetsMax: number
  #kept: Buffer = Buffer.alloc(0)
  #hasEnded = false
  #wake: () => void = () => {}

  /** @param octetsMax of all lines that were not asked for yet, ends included */
  constructor(stream: Duplex, octetsMax: number) {
    this.#stream = stream
    this.#octetsMax = octetsMax
    stream.on('data', (octets: Buffer) => this.#take(octets))
    stream.on('end', () => this.#end())
    stream.on('close', () => this.#end())
  }

  /** The next line without its end; null when the stream ended before, or brought too much. */
  async next(): Promise<string | null> {
    for (;;) {
      const at = this.#kept.indexOf(LINE_END)
      if (at >= 0) {
        const line = this.#kept.toString('utf8', 0, at)
        this.#kept = this.#kept.subarray(at + 1)
        return line
      }
      if (this.#hasEnded) return null
      await new Promise<void>(resolve => { this.#wake = resolve })
    }
  }

  #take(octets: Buffer): void {
    if (this.#hasEnded) return
    if (this.#kept.length + octets.length > this.#octetsMax) {
      this.#kept = Buffer.alloc(0)
      this.#end()
      this.#stream.destroy()
      return
    }
    this.#kept = Buffer.concat([this.#kept, octets])
    this.#wake()
  }

  #end(): void {
    this.#hasEnded = true
    this.#wake()
  }
}
