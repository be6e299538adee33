// tapmesh leave: this node goes out of its cluster, and says so to the others.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .option('-f, --force', 'also the last manager, and with tasks on networks of the cluster')
    .action(async ({ force }: { force?: boolean }) => {
      await clientOf(command).leaveCluster(force)
      print('Node left the cluster.')
    })
  addSocketOption(command)
  addExample(command, 'tapmesh leave')
}
