// tapmesh cluster tables: what all nodes know together, table by table or row by row.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { tableText } from '../table.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('[table]', 'the rows of this table (default: the names of all)')
    .option('--json', 'print everything as JSON')
    .action(async (table: string | undefined, { json }: { json?: boolean }) => {
      const client = clientOf(command)
      if (table === undefined) {
        const tables = await client.tables()
        if (json === true) return printJson(tables)
        return print(tableText(['TABLE', 'ROWS', 'HIDDEN', 'DIGEST'], tables.map(one =>
          [one.table, String(one.rows), String(one.hidden), one.digest])))
      }
      const rows = await client.table(table)
      if (json === true) return printJson(rows)
      print(tableText(['KEY', 'WRITTEN BY', 'AT', 'VALUE'], rows.map(row => [
        row.key, row.node, row.writtenAt,
        row.deleted ? '(deleted)' : `${row.hidden ? '(hidden) ' : ''}${JSON.stringify(row.value)}`,
      ])))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh cluster tables', 'tapmesh cluster tables endpoint')
}
