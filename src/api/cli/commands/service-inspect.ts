// tapmesh service inspect: services as a JSON array in Docker's shape, or in lines for people.
import type { Command } from 'commander'
import { UsageError } from '../../../base/errors.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { addInspectOptions, type InspectOptions, printInspections } from '../inspections.ts'
import { forEachName } from '../output.ts'
import { serviceInspection, servicePretty } from '../service-inspection.ts'
import { addExample } from '../words.ts'

type Options = InspectOptions & { pretty?: boolean }

export function define(command: Command): void {
  command
    .argument('<service...>', 'services, by name or id')
    .option('--pretty', 'lines for people')
  addInspectOptions(command)
  command.action(async (names: string[], options: Options) => {
    const client = clientOf(command)
    if (options.pretty !== true) {
      return printInspections(names, async name => serviceInspection(await client.service(name)),
        options)
    }
    if (options.format !== undefined) {
      throw new UsageError('say either --pretty or --format, not both')
    }
    await forEachName(names, async name => servicePretty(await client.service(name), Date.now()))
  })
  addSocketOption(command)
  addExample(command, 'tapmesh service inspect --pretty web',
    "tapmesh service inspect --format '{{json .Endpoint.VirtualIPs}}' web")
}
