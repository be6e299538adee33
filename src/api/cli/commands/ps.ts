// tapmesh ps: the tasks of this host.
import type { Command } from 'commander'
import type { TaskView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { elapsedText } from '../ago.ts'
import { beginning, exactly, labelled, labelsText, part } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { commandText, isLive, shortId, taskStatus } from '../task-text.ts'
import { addExample } from '../words.ts'

const LISTING: Listing<TaskView> = {
  columns: {
    ID: { heading: 'ID', of: ({ id }, { isWhole }) => isWhole ? id : shortId(id) },
    Names: { heading: 'NAME', of: ({ name }) => name },
    Command: { heading: 'COMMAND',
      of: ({ command }, { isWhole }) => commandText(command, isWhole) },
    CreatedAt: { heading: 'CREATED AT', of: ({ createdAt }) => createdAt },
    RunningFor: { heading: 'CREATED',
      of: ({ createdAt }, { nowMs }) => `${elapsedText(createdAt, nowMs)} ago` },
    Status: { heading: 'STATUS', of: (task, { nowMs }) => taskStatus(task, nowMs) },
    Labels: { heading: 'LABELS', of: ({ labels }) => labelsText(labels) },
    State: { heading: 'STATE', of: ({ state }) => state },
    Netns: { heading: 'NETNS', of: ({ netns }) => netns },
    Networks: { heading: 'NETWORKS',
      of: ({ endpoints }) => endpoints.map(({ network }) => network).join(',') },
    Addresses: { heading: 'ADDRESSES', of: ({ endpoints }) =>
      endpoints.map(({ address, prefix }) => `${address}/${prefix}`).join(', ') },
  },
  table: ['ID', 'Names', 'Command', 'Status', 'Netns', 'Addresses'],
  quiet: 'ID',
  filters: {
    id: beginning(({ id }) => id),
    label: labelled(({ labels }) => labels),
    name: part(({ name }) => name),
    network: { passes: ({ endpoints }, value) =>
      endpoints.some(({ network }) => network === value) },
    status: exactly(({ state }) => state, ['created', 'running', 'stopping', 'exited', 'failed']),
    exited: { passes: ({ state, exitCode }, value) =>
      state === 'exited' && String(exitCode) === value },
  },
  labels: ({ labels }) => labels,
}

type Options = ListOptions & { all?: boolean }

export function define(command: Command): void {
  command.option('-a, --all', 'also those that have ended')
  addListOptions(command, LISTING)
  command.action(async (options: Options) => {
    const tasks = await clientOf(command).tasks()
    printList(LISTING, isAll(options) ? tasks : tasks.filter(isLive), options)
  })
  addSocketOption(command)
  addExample(command, 'tapmesh ps -a', 'tapmesh rm -f $(tapmesh ps -aq)',
    "tapmesh ps --format '{{.Names}}: {{.Addresses}}'",
    'tapmesh ps -q --filter label=com.docker.swarm.service.name=web')
}

/** Who asks for a state, or for an exit code, is shown those that have it. */
function isAll({ all, filter = [] }: Options): boolean {
  return all === true || filter.some(word => /^(status|exited)=/.test(word))
}
