// tapmesh network rm: prints the name of each network that it removed.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { forEachName } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<name...>', 'networks, by name or id')
    .action(async (names: string[]) => {
      const client = clientOf(command)
      await forEachName(names, async name => {
        await client.removeNetwork(name)
        return name
      })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh network rm mynet')
}
