// tapmesh network inspect: a JSON array in Docker's shape.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { addInspectOptions, type InspectOptions, printInspections } from '../inspections.ts'
import { networkInspection, servicesInspection } from '../network-text.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'networks, by name or id')
    .option('-v, --verbose', 'also services, and their tasks on all nodes')
    .action(async (names: string[], options: InspectOptions & { verbose?: boolean }) => {
      const client = clientOf(command)
      await printInspections(names, async name => {
        const network = await client.network(name)
        if (options.verbose !== true) return networkInspection(network)
        const services = await client.networkServices(network.id)
        return { ...networkInspection(network), Services: servicesInspection(services) }
      }, options)
    })
  addInspectOptions(command)
  addSocketOption(command)
  addExample(command, 'tapmesh network inspect mynet',
    "tapmesh network inspect -f '{{json .Peers}}' mynet")
}
