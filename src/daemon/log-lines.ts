// Lines of output of several tasks on their way to one reader: taken apart, and never more of them
// in waiting than are allowed.

/** A longer line comes in several. */
export const LINE_LETTERS_MAX = 16_384
/** Lines that wait for a slow reader; then whoever writes waits, too. */
export const LINES_WAITING_MAX = 1024

/** Octets in pieces of any length become lines. */
export class LineSplitter {
  readonly #decoder = new TextDecoder()
  #rest = ''

  /** The lines that end in these octets. */
  take(octets: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(octets, { stream: true })).split('\n')
    this.#rest = lines.pop()!
    if (this.#rest.length > LINE_LETTERS_MAX) {
      lines.push(this.#rest)
      this.#rest = ''
    }
    return lines.flatMap(pieces)
  }

  /** What is left without an end of line. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.decode()
    this.#rest = ''
    return rest === '' ? [] : pieces(rest)
  }
}

function pieces(line: string): string[] {
  if (line.length <= LINE_LETTERS_MAX) return [line]
  return Array.from({ length: Math.ceil(line.length / LINE_LETTERS_MAX) }, (_, n) =>
    line.slice(n * LINE_LETTERS_MAX, (n + 1) * LINE_LETTERS_MAX))
}

/** Many write, one reads. */
export class LogChannel<T> {
  #waiting: T[] = []
  #isOver = false
  #failure: unknown = null
  #wakeReader = Promise.withResolvers<void>()
  #wakeWriters = Promise.withResolvers<void>()

  /** Waits while too many are waiting; what comes after the end is dropped. */
  async put(one: T): Promise<void> {
    while (this.#waiting.length >= LINES_WAITING_MAX && !this.#isOver) {
      await this.#wakeWriters.promise
    }
    if (this.#isOver) return
    this.#waiting.push(one)
    this.#wakeReader.resolve()
  }

  /** No more will come. */
  end(): void {
    this.#isOver = true
    this.#wakeReader.resolve()
    this.#wakeWriters.resolve()
  }

  /** The reader gets this error after what waits. */
  fail(error: unknown): void {
    this.#failure ??= error
    this.end()
  }

  async* read(): AsyncGenerator<T> {
    try {
      for (;;) {
        const ready = this.#waiting
        this.#waiting = []
        this.#wakeWriters.resolve()
        this.#wakeWriters = Promise.withResolvers()
        yield* ready
        if (this.#waiting.length > 0) continue
        if (this.#isOver) break
        await this.#wakeReader.promise
        this.#wakeReader = Promise.withResolvers()
      }
      if (this.#failure !== null) throw this.#failure
    } finally {
      this.end()
    }
  }
}
