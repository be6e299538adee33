// tapmesh cluster tables: what all nodes know together, table by table or row by row.
import type { Command } from 'commander'
import type { TableRowView, TableView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { beginning, exactly } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { addExample } from '../words.ts'

const TABLES: Listing<TableView> = {
  columns: {
    Table: { heading: 'TABLE', of: ({ table }) => table },
    Rows: { heading: 'ROWS', of: ({ rows }) => String(rows) },
    Hidden: { heading: 'HIDDEN', of: ({ hidden }) => String(hidden) },
    Digest: { heading: 'DIGEST', of: ({ digest }) => digest },
  },
  table: ['Table', 'Rows', 'Hidden', 'Digest'],
}

const ROWS: Listing<TableRowView> = {
  columns: {
    Key: { heading: 'KEY', of: ({ key }) => key },
    Node: { heading: 'WRITTEN BY', of: ({ node }) => node },
    WrittenAt: { heading: 'AT', of: ({ writtenAt }) => writtenAt },
    Stamp: { heading: 'STAMP', of: ({ stamp }) => stamp },
    Value: { heading: 'VALUE', of: ({ deleted, hidden, value }) =>
      deleted ? '(deleted)' : `${hidden ? '(hidden) ' : ''}${JSON.stringify(value)}` },
  },
  table: ['Key', 'Node', 'WrittenAt', 'Value'],
  filters: { key: beginning(({ key }) => key), node: exactly(({ node }) => node) },
}

export function define(command: Command): void {
  command.argument('[table]', 'the rows of this table (default: the names of all)')
  addListOptions(command, ROWS)
  command.action(async (table: string | undefined, options: ListOptions) => {
    const client = clientOf(command)
    if (table === undefined) printList(TABLES, await client.tables(), options)
    else printList(ROWS, await client.table(table), options)
  })
  addSocketOption(command)
  addExample(command, 'tapmesh cluster tables', 'tapmesh cluster tables endpoint',
    'tapmesh cluster tables --filter node=node2 endpoint')
}
