// tapmesh cluster watch: every change of members and tables as it reaches this node.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .option('--json', 'one JSON object a line')
    .action(async ({ json }: { json?: boolean }) => {
      for await (const { at, what, change, name, detail } of clientOf(command).watchCluster()) {
        if (json === true) print(JSON.stringify({ at, what, change, name, detail }))
        else print(`${at} ${what} ${change} ${name} ${JSON.stringify(detail)}`)
      }
    })
  addSocketOption(command)
  addExample(command, 'tapmesh cluster watch')
}
