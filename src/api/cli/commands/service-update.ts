// tapmesh service update: what is said is different from now on, all else stays as it is.
import type { Command } from 'commander'
import { UsageError } from '../../../base/errors.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { complain } from '../failure.ts'
import { print } from '../output.ts'
import { addSharedOptions, type UpdateOptions, updateOf } from '../service-options.ts'
import { failedTasks, waitConverged } from '../service-wait.ts'
import { addExample, collect } from '../words.ts'

/** Options that say how to wait, and not what to change. */
const WAITING = ['detach', 'quiet', 'rollback', 'socket']

export function define(command: Command): void {
  command
    .description('Change a service. A change of what its tasks are started with replaces them, as '
      + '--update-parallelism, --update-delay and --update-order say.')
    .argument('<service>', 'service, by name or id')
    .option('--args <command>', 'program and arguments, in one word')
    .option('--env-add <key=value>', 'set an environment variable', collect)
    .option('--env-rm <key>', 'remove one', collect)
    .option('--publish-add <[mode,]published:target[/udp]>', 'publish a port', collect)
    .option('--publish-rm <target[/udp]>', 'publish a target port no longer', collect)
    .option('--network-add <network>', 'join a network', collect)
    .option('--network-rm <network>', 'leave a network', collect)
    .option('--constraint-add <constraint>', 'one more constraint', collect)
    .option('--constraint-rm <constraint>', 'one less', collect)
    .option('--label-add <key=value>', 'set a label', collect)
    .option('--label-rm <key>', 'remove a label', collect)
    .option('--force', 'replace all tasks although nothing has changed')
    .option('--rollback', 'go back to what stood before the last update')
  addSharedOptions(command)
  command.action(async (name: string, options: UpdateOptions) => {
    const client = clientOf(command)
    const others = Object.keys(options).filter(key => !WAITING.includes(key))
    if (options.rollback === true && others.length > 0) {
      throw new UsageError('--rollback changes everything back; say nothing else with it')
    }
    const known = await failedTasks(client, name)
    const { service, pending } = await (options.rollback === true ? client.rollBackService(name)
      : client.updateService(name, updateOf(options)))
    print(name)
    for (const line of pending) complain(line)
    await waitConverged(client, service, options, known)
  })
  addSocketOption(command)
  addExample(command, 'tapmesh service update --replicas 3 web',
    "tapmesh service update --args 'tapmesh whoami --port 81' --update-parallelism 2 web",
    'tapmesh service update -d --publish-rm 80 --publish-add 8081:80 web')
}
