// tapmesh service rm: the tasks of a service end, and its addresses become free.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { complain } from '../failure.ts'
import { forEachName } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<service...>', 'services, by name or id')
    .action(async (names: string[]) => {
      const client = clientOf(command)
      await forEachName(names, async name => {
        const { pending } = await client.removeService(name)
        for (const line of pending) complain(line)
        return name
      })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh service rm web')
}
