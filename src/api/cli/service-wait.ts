// Waits until a service is as it is to be, and shows on the way how far it is: bars that change in
// place on a terminal, one line for each change elsewhere. Ctrl-C ends the wait alone.
import { setTimeout as delay } from 'node:timers/promises'
import type { Client, ServiceView } from '../client.ts'
import { complain, EXIT_FAILED, ExitError } from './failure.ts'
import { type Bar, isFailed, progressOf, STEPS, type Progress } from './service-progress.ts'

const LOOK_MS = 200
/** For so long nothing may change while a slot waits for something. */
const STALLED_MS = 60_000
/** From this width on a bar has its full length, as Docker draws it. */
const WIDE_COLUMNS = 110
const BAR_LENGTH = 50
const BAR_LENGTH_NARROW = 20
const NARROW_COLUMNS = 60

export type WaitOptions = Readonly<{ detach?: boolean; quiet?: boolean }>

/**
 * @param service as it was after the change
 * @param known   ids of tasks that had failed already before the change
 * @throws ExitError when it will not get there; why has been said
 */
export async function waitConverged(client: Client, service: ServiceView,
  { detach, quiet }: WaitOptions, known: ReadonlySet<string> = new Set()): Promise<void> {
  if (detach === true) return
  const left = new AbortController()
  const leave = (): void => left.abort()
  process.on('SIGINT', leave)
  const screen = quiet === true ? null : makeScreen(process.stdout)
  try {
    const failure = await follow(client, service, known, screen, left.signal)
    if (failure === null) return
    complain(`service ${service.name} did not converge: ${failure}; `
      + `see: tapmesh service ps --no-trunc ${service.name}`)
    throw new ExitError(EXIT_FAILED)
  } catch (error) {
    if (!left.signal.aborted) throw error
    process.stdout.write('Operation continuing in background.\n'
      + `Use 'tapmesh service ps ${service.name}' to check progress.\n`)
  } finally {
    process.off('SIGINT', leave)
  }
}

/** Ids of the tasks of a service that have failed: none of these is a fault of what comes next. */
export async function failedTasks(client: Client, which: string): Promise<Set<string>> {
  return new Set((await client.serviceTasks(which)).filter(isFailed).map(({ id }) => id))
}

/** @returns why it will not get there, or null when it is there */
async function follow(client: Client, { id, generation, spec }: ServiceView,
  known: ReadonlySet<string>, screen: Screen | null, signal: AbortSignal): Promise<string | null> {
  let there: number | null = null
  let seen = { text: '', atMs: performance.now() }
  for (;;) {
    signal.throwIfAborted()
    const [service, tasks] = await Promise.all([client.service(id), client.serviceTasks(id)])
    const progress = progressOf(service, tasks, known, generation)
    const nowMs = performance.now()
    there = progress.isThere ? there ?? nowMs : null
    // Where no task is wanted there is none that could fail.
    const watchMs = service.wanted === 0 ? 0 : service.spec.update.monitorMs
    const isOver = there !== null && nowMs - there >= watchMs
    screen?.show(progress, there === null ? ''
      : isOver ? 'verify: Service converged'
        : `verify: Waiting ${watchText(watchMs)} to verify that tasks are stable...`)
    if (progress.failure !== null) return progress.failure
    if (isOver) return null
    const text = JSON.stringify(progress)
    if (text !== seen.text) seen = { text, atMs: nowMs }
    const mayStall = there === null && progress.waiting !== '' && spec.update.delayMs < STALLED_MS
    if (mayStall && nowMs - seen.atMs > STALLED_MS) return progress.waiting
    await delay(LOOK_MS, undefined, { signal })
  }
}

/** Whole seconds, as Docker says it. */
function watchText(watchMs: number): string {
  const seconds = Math.ceil(watchMs / 1000)
  return seconds === 1 ? '1 second' : `${seconds} seconds`
}

type Screen = { show(progress: Progress, verdict: string): void }

function makeScreen(stream: NodeJS.WriteStream): Screen {
  return stream.isTTY ? new Terminal(stream) : new Lines(stream)
}

/** Writes the same lines again and again, in one place. */
class Terminal implements Screen {
  readonly #stream: NodeJS.WriteStream
  #lines = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  show(progress: Progress, verdict: string): void {
    const { columns } = this.#stream
    const lines = [`overall progress: ${progress.overall}`,
      ...progress.bars.map(bar => barText(bar, columns)), verdict].filter(line => line !== '')
    const up = this.#lines === 0 ? '' : `\u001b[${this.#lines}A`
    // What is longer than the terminal is wide would take two lines of it.
    const text = lines.map(line => `\u001b[2K${line.slice(0, columns - 1)}\n`).join('')
    this.#stream.write(`${up}${text}\u001b[J`)
    this.#lines = lines.length
  }
}

/** Writes each line that is not as it was. */
class Lines implements Screen {
  readonly #stream: NodeJS.WritableStream
  readonly #before = new Map<string, string>()

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream
  }

  show(progress: Progress, verdict: string): void {
    this.#say('overall progress', progress.overall)
    for (const { label, text } of progress.bars) this.#say(label, text.trimEnd())
    if (verdict !== '') this.#say('verify', verdict.slice('verify: '.length))
  }

  #say(label: string, text: string): void {
    if (this.#before.get(label) === text) return
    this.#before.set(label, text)
    this.#stream.write(`${label}: ${text}\n`)
  }
}

/** "1/2: running   [==================================================>]" */
export function barText({ label, text, step }: Bar, columns: number): string {
  if (step === null || columns < NARROW_COLUMNS) return `${label}: ${text}`
  const length = columns > WIDE_COLUMNS ? BAR_LENGTH : BAR_LENGTH_NARROW
  const done = Math.floor(length * step / STEPS)
  return `${label}: ${text} [${'='.repeat(done)}>${' '.repeat(length - done)}]`
}
