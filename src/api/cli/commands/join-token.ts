// tapmesh join-token: the token for more nodes, in the words that are to be said there.
import type { Command } from 'commander'
import { UsageError } from '../../../base/errors.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

type Options = { quiet?: boolean; rotate?: boolean }

export function define(command: Command): void {
  command
    .argument('<role>', '"worker" or "manager"')
    .option('-q, --quiet', 'print only the token')
    .option('--rotate', 'make a new token; the old one admits nobody any more')
    .action(async (role: string, { quiet, rotate }: Options) => {
      if (role !== 'worker' && role !== 'manager') {
        throw new UsageError(`"${role}" is not a role: say worker or manager`)
      }
      const client = clientOf(command)
      const view = rotate === true
        ? await client.rotateJoinToken(role) : await client.joinToken(role)
      if (quiet === true) return print(view.token)
      if (rotate === true) print(`Successfully rotated ${role} join token.\n`)
      print(`To add a ${role} to this cluster, run the following command:\n\n    `
        + `${view.command}\n`)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh join-token worker', 'tapmesh join-token -q --rotate manager')
}
