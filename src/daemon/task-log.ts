// Reads the file that a task writes its output to, from the start or its last lines, and goes on
// reading while it grows.
import { watch, type FSWatcher } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'

const CHUNK_OCTETS = 65_536
/** The watch wakes earlier; this is for when there is none, and for what it misses. */
const POLL_MS = 250
const NEWLINE = 0x0a

export type LogReading = {
  path: string
  follow: boolean
  /** Only the last lines; undefined: all. */
  tailLines: number | undefined
  /** Settles when no more will be written; what is there then is still sent. */
  ended: Promise<unknown>
  /** Stops the reading, which then throws the signal's reason: it is not the end of the log. */
  signal: AbortSignal
}

/**
 * The octets of the log, oldest first. A file that is not there yet is an empty one, and one that
 * was cut is read again from its start.
 */
export async function* readTaskLog(reading: LogReading): AsyncGenerator<Buffer, void> {
  const { path, follow, tailLines, signal } = reading
  const bell = new Bell()
  let over = false
  const end = () => {
    over = true
    bell.ring()
  }
  reading.ended.then(end, end)
  signal.addEventListener('abort', end, { once: true })
  const watcher = follow ? watchQuietly(path, bell) : null
  let file = await openIfThere(path)
  let at = file === null || tailLines === undefined ? 0 : await startOfTail(file, tailLines)
  try {
    while (!signal.aborted) {
      // Asked before reading: what was written until the end is then surely sent.
      const last = over || !follow
      file ??= await openIfThere(path)
      if (file !== null) at = yield* readFrom(file, at, signal)
      if (last) break
      await bell.wait(POLL_MS)
    }
    signal.throwIfAborted()
  } finally {
    watcher?.close()
    signal.removeEventListener('abort', end)
    await file?.close()
  }
}

/**
 * A piece of a log from `from` on; null: from the last `tailLines` lines on, or from its start.
 * `next` is where the piece after it begins.
 */
export async function readLogPart(path: string, from: number | null, tailLines: number | null,
  octetsMax: number): Promise<{ octets: Uint8Array; next: number }> {
  const file = await openIfThere(path)
  if (file === null) return { octets: new Uint8Array(), next: 0 }
  try {
    const { size } = await file.stat()
    const start = from ?? (tailLines === null ? 0 : await startOfTail(file, tailLines))
    const at = start > size ? 0 : start // it was cut
    const part = Buffer.alloc(Math.min(octetsMax, size - at))
    const { bytesRead } = await file.read(part, 0, part.length, at)
    return { octets: part.subarray(0, bytesRead), next: at + bytesRead }
  } finally {
    await file.close()
  }
}

/** Sends what is there now, and returns where it ended. */
async function* readFrom(
  file: FileHandle, from: number, signal: AbortSignal,
): AsyncGenerator<Buffer, number> {
  const { size } = await file.stat()
  let at = size < from ? 0 : from
  while (at < size && !signal.aborted) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_OCTETS, size - at))
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at)
    if (bytesRead === 0) return at
    yield chunk.subarray(0, bytesRead)
    at += bytesRead
  }
  return at
}

/** Offset of the last `lines` lines, found by reading backwards. */
async function startOfTail(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat()
  if (lines === 0) return size
  const chunk = Buffer.allocUnsafe(CHUNK_OCTETS)
  let found = 0
  for (let end = size; end > 0; end -= CHUNK_OCTETS) {
    const start = Math.max(0, end - CHUNK_OCTETS)
    const { bytesRead } = await file.read(chunk, 0, end - start, start)
    for (let i = bytesRead - 1; i >= 0; i--) {
      // The newline that ends the last line begins no other one.
      if (chunk[i] !== NEWLINE || start + i === size - 1) continue
      found++
      if (found === lines) return start + i + 1
    }
  }
  return 0
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Null when there is no file yet or the kernel has no watch left; then the poll does the work. */
function watchQuietly(path: string, bell: Bell): FSWatcher | null {
  try {
    const watcher = watch(path, { persistent: false }, () => bell.ring())
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null
  }
}

/** Somebody waits, somebody rings; a ring while nobody waits is kept. */
class Bell {
  #rung = false
  #wake: (() => void) | null = null

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  async wait(atMostMs: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, atMostMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#wake = null
    this.#rung = false
  }
}
