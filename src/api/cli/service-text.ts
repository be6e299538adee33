// Services and their tasks in the words of Docker's listings.
import type { PublishedPort, ServiceView } from '../client.ts'
import { elapsedText } from './ago.ts'

/** Docker cuts the reason of a failure to this many characters. */
const ERROR_LENGTH_MAX = 30

/** "2/2"; of a service whose tasks end also how many have done their work. */
export function replicasText({ running, wanted, completed, spec }: ServiceView): string {
  const isJob = spec.task.restart.condition !== 'any' && completed > 0
  return `${running}/${wanted}${isJob ? ` (${completed}/${wanted} completed)` : ''}`
}

/** Where Docker shows an image there is the program: it is what a task is made of here. */
export function imageText(command: readonly string[]): string {
  return command[0] ?? ''
}

/** "*:8080->80/tcp"; neighbours are one range: "*:80-81->80-81/tcp". */
export function portsText(ports: readonly PublishedPort[]): string {
  const sorted = ports.toSorted((a, b) => a.protocol < b.protocol ? -1
    : a.protocol > b.protocol ? 1 : a.published - b.published)
  const ranges: { first: PublishedPort; length: number }[] = []
  for (const port of sorted) {
    const last = ranges.at(-1)
    const isNext = last !== undefined && last.first.protocol === port.protocol
      && port.published - last.first.published === last.length
      && port.target - last.first.target === last.length
    if (isNext) last.length += 1
    else ranges.push({ first: port, length: 1 })
  }
  return ranges.map(({ first: { published, target, protocol }, length }) =>
    `*:${span(published, length)}->${span(target, length)}/${protocol}`).join(', ')
}

export function stateWord(state: string): string {
  return state.slice(0, 1).toUpperCase() + state.slice(1)
}

/** "18 seconds ago" */
export function agoText(since: string, nowMs: number): string {
  return `${elapsedText(since, nowMs).toLowerCase()} ago`
}

/** In quotation marks, and cut as Docker cuts it unless it is to be `whole`. */
export function errorText(error: string, whole: boolean): string {
  if (error === '') return ''
  const isLong = !whole && error.length > ERROR_LENGTH_MAX
  return `"${isLong ? `${error.slice(0, ERROR_LENGTH_MAX - 1)}…` : error}"`
}

function span(first: number, length: number): string {
  return length === 1 ? String(first) : `${first}-${first + length - 1}`
}
