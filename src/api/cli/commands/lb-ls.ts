// tapmesh lb ls: the services that this node balances and their backends, as ipvsadm prints them.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { balancedText } from '../lb-text.ts'
import { print, printJson } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .option('--json', 'print everything as JSON, names of services and tasks among it')
    .action(async ({ json }: { json?: boolean }) => {
      const services = await clientOf(command).balanced()
      if (json === true) return printJson(services)
      print(balancedText(services))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh lb ls')
}
