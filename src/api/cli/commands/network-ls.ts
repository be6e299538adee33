// tapmesh network ls: Docker's columns, and our subnet and VNI.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { tableText } from '../table.ts'
import { shortId } from '../task-text.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .option('-q, --quiet', 'print only ids')
    .option('--json', 'print everything as JSON')
    .action(async ({ quiet, json }: { quiet?: boolean; json?: boolean }) => {
      const networks = await clientOf(command).networks()
      if (json === true) return printJson(networks)
      if (quiet === true) return print(networks.map(({ id }) => shortId(id)).join('\n'))
      const heading = ['NETWORK ID', 'NAME', 'DRIVER', 'SCOPE', 'SUBNET', 'VNI']
      print(tableText(heading, networks.map(({ id, name, driver, scope, subnet, vni }) =>
        [shortId(id), name, driver, scope, subnet, String(vni)])))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh network ls', 'tapmesh network rm $(tapmesh network ls -q)')
}
