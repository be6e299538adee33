// tapmesh inspect: a JSON array of tasks and networks, whatever the names belong to.
import type { Command } from 'commander'
import { NotFoundError } from '../../../base/errors.ts'
import type { Client } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { addInspectOptions, type InspectOptions, printInspections } from '../inspections.ts'
import { networkInspection } from '../network-text.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'tasks or networks, by name or id; a task goes before a network')
    .action(async (names: string[], options: InspectOptions) => {
      const client = clientOf(command)
      await printInspections(names, name => taskOrNetwork(client, name), options)
    })
  addInspectOptions(command)
  addSocketOption(command)
  addExample(command, 'tapmesh inspect web')
}

async function taskOrNetwork(client: Client, name: string): Promise<unknown> {
  try {
    return await client.task(name)
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error
  }
  try {
    return networkInspection(await client.network(name))
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error
    throw new NotFoundError(`there is no task or network "${name}"`, { name })
  }
}
