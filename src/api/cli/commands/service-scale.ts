// tapmesh service scale: how many tasks services are to have.
import type { Command } from 'commander'
import type { ServiceView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { complain, ExitError } from '../failure.ts'
import { forEachName } from '../output.ts'
import { scaleOf } from '../service-words.ts'
import { failedTasks, type WaitOptions, waitConverged } from '../service-wait.ts'
import { addExample } from '../words.ts'

type Scaled = { service: ServiceView; known: Set<string> }

export function define(command: Command): void {
  command
    .argument('<service=replicas...>', 'how many tasks which service is to have')
    .option('-d, --detach', 'do not wait until the services have converged')
    .option('-q, --quiet', 'wait, but show no progress')
    .action(async (words: string[], options: WaitOptions) => {
      const client = clientOf(command)
      const wanted = new Map(words.map(scaleOf)) // when one word is wrong, nothing is done
      const scaled: Scaled[] = []
      const failure = await forEachName([...wanted.keys()], async name => {
        const replicas = wanted.get(name)!
        const known = await failedTasks(client, name)
        const { service, pending } = await client.updateService(name, { replicas })
        for (const line of pending) complain(line)
        scaled.push({ service, known })
        return `${name} scaled to ${replicas}`
      }).then(() => null, (error: unknown) => error)
      if (failure !== null && !(failure instanceof ExitError)) throw failure
      for (const { service, known } of scaled) await waitConverged(client, service, options, known)
      if (failure !== null) throw failure
    })
  addSocketOption(command)
  addExample(command, 'tapmesh service scale web=3', 'tapmesh service scale web=3 db=0')
}
