// tapmesh vtep ls: the VTEPs that were named by hand; "*" stands for every network.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { vtepRow } from '../status-text.ts'
import { tableText } from '../table.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .option('--json', 'print everything as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const vteps = await clientOf(command).vteps()
      if (json === true) printJson(vteps)
      else print(tableText(['ADDRESS', 'PORT', 'NETWORK', 'CHECKSUM'], vteps.map(vtepRow)))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh vtep ls')
}
