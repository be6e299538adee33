// tapmesh service create: prints the id of the new service, and stays until its tasks run.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { complain } from '../failure.ts'
import { print } from '../output.ts'
import { addSharedOptions, type CreateOptions, createOf } from '../service-options.ts'
import { waitConverged } from '../service-wait.ts'
import { addExample, collect } from '../words.ts'

export function define(command: Command): void {
  command
    .description('Run a command as tasks on the nodes of the cluster. Without -d it waits until '
      + 'all of them run; Ctrl-C ends the wait, not the service.')
    .argument('<command...>', 'program and its arguments')
    .option('--name <name>', 'name of the service (default: one is made up)')
    .option('--network <network>', 'network to join, in the order of eth0, eth2, …; or '
      + 'name=NETWORK,alias=NAME', collect)
    .option('--mode <mode>', 'replicated, or global: a task on each node (default: replicated)')
    .option('-p, --publish <[mode,]published:target[/udp]>', 'port that leads to the tasks, on '
      + 'every node (ingress, the default) or where a task runs (host)', collect)
    .option('-e, --env <key=value>', 'environment, any number of times', collect)
    .option('--constraint <constraint>', 'only nodes such as node.hostname==node1 or '
      + 'node.labels.zone!=b', collect)
    .option('-l, --label <key=value>', 'label of the service, any number of times', collect)
  addSharedOptions(command)
  command
    .passThroughOptions()
    .action(async (words: string[], options: CreateOptions) => {
      const client = clientOf(command)
      const { service, pending } = await client.createService(createOf(words, options))
      print(service.id)
      for (const line of pending) complain(line)
      await waitConverged(client, service, options)
    })
  addSocketOption(command)
  addExample(command,
    'tapmesh service create --name web --network mynet -p 8080:80 --replicas 2 -- '
      + 'tapmesh whoami --port 80',
    'tapmesh service create -d --name util --network mynet --mode global -- sleep 1000000000')
}
