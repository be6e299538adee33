// tapmesh node update: what managers decide about a node.
import type { Command } from 'commander'
import { UsageError } from '../../../base/errors.ts'
import type { NodeUpdate } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample, collect, labelsOf } from '../words.ts'

type Options = {
  availability?: string
  labelAdd?: string[]
  labelRm?: string[]
  role?: string
}

export function define(command: Command): void {
  command
    .description('Change what managers have decided about a node. An active node gets tasks of '
      + 'services; one that pauses keeps those that it has; one that is drained loses them.')
    .argument('<node>', 'node, by name or id, or "self"')
    .option('--availability <word>', '"active", "pause" or "drain"')
    .option('--label-add <key=value>', 'label to set, any number of times', collect)
    .option('--label-rm <key>', 'label to take away, any number of times', collect)
    .option('--role <role>', '"worker" or "manager": another role than its own is refused, for '
      + 'it stands in the certificate that it joined with')
    .action(async (node: string, options: Options) => {
      await clientOf(command).updateNode(node, changeOf(options))
      print(node)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh node update --availability drain node2',
    'tapmesh node update --label-add zone=a --label-rm old node2')
}

/** What the words of an availability or role may be, the daemon says. */
function changeOf({ availability, labelAdd, labelRm, role }: Options): NodeUpdate {
  if ([availability, labelAdd, labelRm, role].every(option => option === undefined)) {
    throw new UsageError('say what to change: --availability, --label-add, --label-rm')
  }
  return {
    availability: availability as NodeUpdate['availability'], role: role as NodeUpdate['role'],
    labelsAdd: labelAdd === undefined ? undefined : labelsOf(labelAdd), labelsRemove: labelRm,
  }
}
