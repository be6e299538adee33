// tapmesh service rollback: a service becomes again what it was before its last update.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { complain } from '../failure.ts'
import { print } from '../output.ts'
import { failedTasks, type WaitOptions, waitConverged } from '../service-wait.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<service>', 'service, by name or id')
    .option('-d, --detach', 'do not wait until the service has converged')
    .option('-q, --quiet', 'wait, but show no progress')
    .action(async (name: string, options: WaitOptions) => {
      const client = clientOf(command)
      const known = await failedTasks(client, name)
      const { service, pending } = await client.rollBackService(name)
      print(name)
      for (const line of pending) complain(line)
      await waitConverged(client, service, options, known)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh service rollback web')
}
