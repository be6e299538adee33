// tapmesh status: all that the daemon knows, for people or as JSON.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { statusText } from '../status-text.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .option('--json', 'print everything as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const status = await clientOf(command).status()
      if (json === true) printJson(status)
      else print(statusText(status, Date.now()))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh status', 'tapmesh status --json')
}
