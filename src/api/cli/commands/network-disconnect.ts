// tapmesh network disconnect: a task loses its interface in a network, and runs on.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<network>', 'network, by name or id')
    .argument('<task>', 'task of this host, by name or id')
    .action(async (network: string, task: string) => {
      await clientOf(command).disconnectTask(network, task)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh network disconnect mynet web')
}
