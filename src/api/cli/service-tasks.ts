// The tasks of services as `service ps` and `node ps` list them.
import type { ServiceTaskView } from '../client.ts'
import { beginning, exactly } from './filters.ts'
import type { Listing, ListOptions } from './listing.ts'
import { agoText, errorText, imageText, portsText, stateWord } from './service-text.ts'
import { shortId } from './task-text.ts'

/** `isOlder`: the slot has a newer task, which stands above it. */
export type TaskRow = ServiceTaskView & { isOlder: boolean }

export const SERVICE_TASKS: Listing<TaskRow> = {
  columns: {
    ID: { heading: 'ID', of: ({ id }, { isWhole }) => isWhole ? id : shortId(id) },
    Name: { heading: 'NAME',
      of: ({ name, isOlder }, { isCell }) => isOlder && isCell ? ` \\_ ${name}` : name },
    Image: { heading: 'IMAGE', of: ({ command }) => imageText(command) },
    Node: { heading: 'NODE', of: ({ node }) => node?.name ?? '' },
    DesiredState: { heading: 'DESIRED STATE', of: ({ desired }) => stateWord(desired) },
    CurrentState: { heading: 'CURRENT STATE',
      of: (task, { nowMs }) => `${stateText(task)} ${agoText(task.stateAt, nowMs)}` },
    Error: { heading: 'ERROR', of: ({ error }, { isWhole }) => errorText(error, isWhole) },
    Ports: { heading: 'PORTS', of: ({ ports }) => portsText(ports) },
  },
  table: ['ID', 'Name', 'Image', 'Node', 'DesiredState', 'CurrentState', 'Error', 'Ports'],
  quiet: 'ID',
  filters: {
    id: beginning(({ id }) => id),
    name: beginning(({ name }) => name),
    node: beginning(({ node }) => node?.name ?? '', ({ node }) => node?.id ?? ''),
    'desired-state': exactly(({ desired }) => desired, ['running', 'shutdown']),
  },
}

/**
 * Rows for tasks of which those of a slot stand side by side, the newest first. A slot that waits
 * has no id that -q could print.
 */
export function taskRows(tasks: readonly ServiceTaskView[], { quiet }: ListOptions): TaskRow[] {
  return tasks.map((task, n) => ({ ...task, isOlder: isSlotOf(task, tasks[n - 1]) }))
    .filter(({ id }) => quiet !== true || id !== '')
}

/** "Running"; "Draining, 3 flows" */
function stateText({ flows, state }: ServiceTaskView): string {
  return flows === null ? stateWord(state)
    : `${stateWord(state)}, ${flows} ${flows === 1 ? 'flow' : 'flows'}`
}

function isSlotOf(task: ServiceTaskView, before: ServiceTaskView | undefined): boolean {
  return before?.service === task.service && before.slot === task.slot
}
