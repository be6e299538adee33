// tapmesh fdb ls: which MAC address was learned behind which VTEP.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { tableText } from '../table.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .option('--json', 'print everything as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const entries = await clientOf(command).learned()
      if (json === true) return printJson(entries)
      print(tableText(['NETWORK', 'MAC', 'VIA', 'AGE'], entries.map(entry =>
        [entry.network, entry.mac, entry.via, `${Math.floor(entry.ageMs / 1000)} s`])))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh fdb ls')
}
