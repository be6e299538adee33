// tapmesh node ls: Docker's columns. " *" marks the node that was asked.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { tableText } from '../table.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .option('-q, --quiet', 'print only ids')
    .option('--json', 'print everything as JSON')
    .action(async ({ quiet, json }: { quiet?: boolean; json?: boolean }) => {
      const nodes = await clientOf(command).nodes()
      if (json === true) return printJson(nodes)
      if (quiet === true) return print(nodes.map(({ id }) => id).join('\n'))
      const heading = ['ID', 'HOSTNAME', 'STATUS', 'AVAILABILITY', 'MANAGER STATUS',
        'ENGINE VERSION']
      print(tableText(heading, nodes.map(node => [
        `${node.id}${node.self ? ' *' : ''}`, node.name, node.status, node.availability,
        node.managerStatus, node.version,
      ])))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh node ls')
}
