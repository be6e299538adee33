// tapmesh inspect: a JSON array of tasks, networks, services and nodes, whatever has the names.
import type { Command } from 'commander'
import { NotFoundError } from '../../../base/errors.ts'
import type { Client } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { addInspectOptions, type InspectOptions, printInspections } from '../inspections.ts'
import { networkInspection } from '../network-text.ts'
import { nodeInspection } from '../node-text.ts'
import { serviceInspection } from '../service-inspection.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'tasks, networks, services or nodes, by name or id; the first kind that '
      + 'has the name is shown')
    .action(async (names: string[], options: InspectOptions) => {
      const client = clientOf(command)
      await printInspections(names, name => anything(client, name), options)
    })
  addInspectOptions(command)
  addSocketOption(command)
  addExample(command, 'tapmesh inspect web', "tapmesh inspect -f '{{.pid}}' web")
}

async function anything(client: Client, name: string): Promise<unknown> {
  const kinds: (() => Promise<unknown>)[] = [
    () => client.task(name), async () => networkInspection(await client.network(name)),
    ...await client.cluster() === null ? [] : [
      async () => serviceInspection(await client.service(name)),
      async () => nodeInspection(await client.node(name)),
    ],
  ]
  for (const inspect of kinds) {
    try {
      return await inspect()
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error
    }
  }
  throw new NotFoundError(`there is no task, network, service or node "${name}"`, { name })
}
