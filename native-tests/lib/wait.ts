// Waiting for what must come true, with a deadline; never for time to pass.
import { setTimeout as pause } from 'node:timers/promises'

const LOOK_EVERY_MS = 20
export const SOON_MS = 15_000

/**
 * Look again and again until `look` answers something that is not false, null or undefined.
 * @throws Error that says what did not come, and what was seen last
 */
export async function until<T>(what: string, look: () => T | false | null | undefined
  | Promise<T | false | null | undefined>, timeoutMs = SOON_MS): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const seen = await look()
    if (seen !== false && seen !== null && seen !== undefined) return seen
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await pause(LOOK_EVERY_MS)
  }
}

/** Settles as `promise` does, or throws when the time is over. */
export async function within<T>(
  what: string, promise: Promise<T>, timeoutMs = SOON_MS,
): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new Error(`not within ${timeoutMs} ms: ${what}`)), timeoutMs)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Wait until `count` has not changed for `quietMs`: nothing that was under way is left. */
export async function quiet(what: string, count: () => number, quietMs: number): Promise<void> {
  let last = count()
  let sinceMs = performance.now()
  await until(`${what} is quiet for ${quietMs} ms`, () => {
    if (count() !== last) {
      last = count()
      sinceMs = performance.now()
    }
    return performance.now() - sinceMs >= quietMs
  }, SOON_MS + quietMs)
}

/** Wait until two looks in a row see the same. @returns what they saw */
export async function settled<T>(what: string, look: () => Promise<T>): Promise<T> {
  let last = ''
  return until(`${what} stays as it is`, async () => {
    const seen = { value: await look() }
    const before = last
    last = JSON.stringify(seen)
    return before === last && seen
  }).then(({ value }) => value)
}
