// tapmesh network connect: a task that runs gets an interface in one more network.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .description('Give a task that lives an interface in one more network: the first of eth0, '
      + 'eth1, … that it does not have. Tasks of services have the networks of their service.')
    .argument('<network>', 'network, by name or id')
    .argument('<task>', 'task of this host, by name or id')
    .option('--ip <address>', 'address in the network (default: the next one)')
    .action(async (network: string, task: string, { ip: address }: { ip?: string }) => {
      await clientOf(command).connectTask(network, { task, address })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh network connect mynet web',
    'tapmesh network connect --ip 10.0.1.8 mynet web')
}
