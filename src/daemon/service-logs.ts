// The output of the tasks of a service, wherever they are: of those of this node from their files,
// of others piece by piece from the daemons of their nodes.
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../base/clock.ts'
import { TapmeshError } from '../base/errors.ts'
import type { DeskOptions } from '../cluster/identity/desk-options.ts'
import { JoinError } from '../cluster/identity/join-error.ts'
import { LOG_OCTETS_MAX } from '../cluster/identity/join-messages.ts'
import type { AskLog } from '../cluster/identity/log-client.ts'
import type { ClusterLink } from './cluster-link.ts'
import { LineSplitter, LogChannel } from './log-lines.ts'
import type { ServiceLogLine, ServiceLogsSpec, ServiceTaskView } from './service-views.ts'
import { readLogPart } from './task-log.ts'
import type { Tasks } from './tasks.ts'

/** How often followed output is looked at. */
const LOOK_MS = 300
/** One connection is used for so long; the other side ends it after CONNECTION_TIMEOUT_MS. */
const SESSION_MS = 5000
/** A node that did not answer is called again after this. */
const CALL_AGAIN_MS = 2000

/** Where the output of one task has been read to. */
type Reading = {
  readonly task: ServiceTaskView
  readonly container: string
  readonly lines: LineSplitter
  /** null: nothing was read yet */
  next: number | null
  isOver: boolean
}

export type LogReader = Readonly<{
  link: ClusterLink
  /** Of tasks of this node. */
  readLog: NonNullable<DeskOptions['readLog']>
  clock: Clock
  version: string
  channel: LogChannel<ServiceLogLine>
  spec: ServiceLogsSpec
  signal: AbortSignal
}>

/** Pieces of the output of tasks of services that this node has. */
export function makeLogReader(tasks: Tasks): NonNullable<DeskOptions['readLog']> {
  return async (container, from, tail) => {
    const task = tasks.list().find(({ id }) => id === container)
    if (task === undefined || task.service === null) return null
    const hasEnded = task.state === 'exited' || task.state === 'failed'
    // Asked before reading: what was written until the end is then surely in the last piece.
    const part = await readLogPart(tasks.logPathOf(container), from, tail, LOG_OCTETS_MAX)
    return { ...part, isOver: hasEnded && part.octets.length < LOG_OCTETS_MAX }
  }
}

/**
 * The output of `tasks()`: all that is there, or with `follow` also what comes and of tasks that
 * begin later, until there is no service any more.
 * @param tasks null when the service is gone
 */
export async function* serviceLogs(asked: Omit<LogReader, 'channel'>,
  tasks: () => readonly ServiceTaskView[] | null): AsyncGenerator<ServiceLogLine> {
  const channel = new LogChannel<ServiceLogLine>()
  const over = new AbortController() // when nobody reads any more
  const signal = AbortSignal.any([asked.signal, over.signal])
  readAllNodes({ ...asked, channel, signal }, tasks)
    .then(() => channel.end(), error => channel.fail(error))
  try {
    yield* channel.read()
  } finally {
    over.abort()
  }
}

async function readAllNodes(reader: LogReader,
  tasks: () => readonly ServiceTaskView[] | null): Promise<void> {
  const { channel, link, spec, signal } = reader
  const readings = new Map<string, Reading>()
  const nodes = new Map<string, Promise<void>>()
  const told = new Set<string>()
  for (let all = tasks(); all !== null; all = tasks()) {
    for (const task of all) await note(task, readings, told, channel)
    for (const [node, own] of Map.groupBy(readings.values(), ({ task }) => task.node!.id)) {
      if (nodes.has(node) || own.every(({ isOver }) => isOver)) continue
      const current = (): Reading[] => [...readings.values()]
        .filter(({ task, isOver }) => task.node!.id === node && !isOver)
      const reading = node === link.nodeId ? readHere(reader, current)
        : readThere(reader, node, own[0]!.task.node!.name, current)
      const done = reading.finally(() => nodes.delete(node))
      nodes.set(node, done)
      if (!spec.follow) await done
      else done.catch(error => channel.fail(error))
    }
    if (!spec.follow) return
    await delay(LOOK_MS, undefined, { signal })
  }
}

async function note(task: ServiceTaskView, readings: Map<string, Reading>, told: Set<string>,
  channel: LogChannel<ServiceLogLine>): Promise<void> {
  const { container, id, isAway, name, node } = task
  if (container === null || readings.has(id)) return
  if (!isAway) {
    readings.set(id, { task, container, lines: new LineSplitter(), next: null, isOver: false })
  } else if (!told.has(id)) {
    told.add(id)
    await channel.put({ note: `${node!.name} is down: the output of ${name} is missing` })
  }
}

async function readHere(reader: LogReader, current: () => Reading[]): Promise<void> {
  const { readLog, spec, signal } = reader
  const askHere: AskLog = async (container, from, tail) => await readLog(container, from, tail)
    ?? { octets: new Uint8Array(), next: from ?? 0, isOver: true }
  for (let all = current(); all.length > 0; all = current()) {
    await readAll(reader, all, askHere)
    if (!spec.follow) return
    await delay(LOOK_MS, undefined, { signal })
  }
}

/** Calls the node again and again, as long as it has something to say. */
async function readThere(reader: LogReader, nodeId: string, name: string, current: () => Reading[],
): Promise<void> {
  const { channel, clock, link, signal, spec, version } = reader
  const { askLogs } = await import('../cluster/identity/log-client.ts')
  const node = link.records.nodes.get(nodeId)
  if (node === undefined) return
  const { identity } = link
  const target = { host: node.address, port: node.meshPort }
  const session = async (ask: AskLog): Promise<void> => {
    const endMs = clock.nowMs() + SESSION_MS
    for (let all = current(); all.length > 0 && clock.nowMs() < endMs; all = current()) {
      const isWhole = await readAll(reader, all, ask, () => clock.nowMs() < endMs)
      if (!spec.follow && isWhole) return void all.forEach(one => (one.isOver = true))
      if (isWhole) await delay(LOOK_MS, undefined, { signal })
    }
  }
  while (current().length > 0) {
    try {
      await askLogs({ identity, target, nodeId, version, clock, signal },
        ask => session(forgiving(ask)))
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof TapmeshError)) throw error
      await channel.put({ note: `the output of tasks on ${name} is missing: ${error.message}` })
      if (!spec.follow) return
      await delay(CALL_AGAIN_MS, undefined, { signal })
    }
  }
}

/** A task that its node has forgotten says no more. */
function forgiving(ask: AskLog): AskLog {
  return async (container, from, tail) => {
    try {
      return await ask(container, from, tail)
    } catch (error) {
      if (!(error instanceof JoinError) || error.reason !== 'no-log') throw error
      return { octets: new Uint8Array(), next: from ?? 0, isOver: true }
    }
  }
}

/** @returns whether all that is there now was read, before `mayGoOn` said no */
async function readAll({ channel, spec, signal }: LogReader, all: readonly Reading[], ask: AskLog,
  mayGoOn = () => true): Promise<boolean> {
  for (const reading of all) {
    for (let isMore = true; isMore;) {
      signal.throwIfAborted()
      if (!mayGoOn()) return false
      const { octets, next, isOver } = await ask(reading.container, reading.next, spec.tail ?? null)
      isMore = octets.length === LOG_OCTETS_MAX
      reading.next = next
      reading.isOver = isOver
      const lines = reading.lines.take(octets)
      if (isOver || (!spec.follow && !isMore)) lines.push(...reading.lines.end())
      const { id, name, node } = reading.task
      for (const line of lines) await channel.put({ task: id, name, node: node!.name, line })
    }
  }
  return true
}
