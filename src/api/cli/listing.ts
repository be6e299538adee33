// Lists as Docker prints them. A list command declares its columns and filters once, and has with
// that --format (table, json, or a template), -q, --no-trunc, --filter and --json.
import type { Command } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { print, printJson } from './output.ts'
import { tableText } from './table.ts'
import { HEADING_FUNCTIONS } from './template/functions.ts'
import { compileTemplate } from './template/template.ts'
import { collect } from './words.ts'

export type Shown = Readonly<{
  /** Ids and long texts are not cut. */
  isWhole: boolean
  /** It is a cell of Docker's own table, and not a field of JSON or of a template. */
  isCell: boolean
  nowMs: number
}>

export type Column<T> = Readonly<{
  heading: string
  of(thing: T, shown: Shown): string | boolean
}>

export type Filter<T> = Readonly<{
  /** Whether a thing passes `--filter KEY=value`. */
  passes(thing: T, value: string): boolean
  /** Of several values for this key all must pass; else one is enough. */
  all?: boolean
  /** The only values that there are. */
  values?: readonly string[]
}>

export type Listing<T> = Readonly<{
  /** By Docker's name of the field: what templates and `--format json` see. */
  columns: Readonly<Record<string, Column<T>>>
  /** Names of the columns of the table. */
  table: readonly string[]
  /** Name of the column that -q prints; absent: there is no -q. */
  quiet?: string
  filters?: Readonly<Record<string, Filter<T>>>
  /** What `{{.Label "key"}}` finds. */
  labels?(thing: T): Readonly<Record<string, string>>
}>

export type ListOptions = Readonly<{
  format?: string
  quiet?: boolean
  trunc?: boolean
  filter?: string[]
  json?: boolean
}>

const TABLE = 'table'

export function addListOptions<T>(command: Command, { quiet, filters }: Listing<T>): void {
  if (quiet !== undefined) command.option('-q, --quiet', 'print only ids')
  if (filters !== undefined) {
    command.option('-f, --filter <key=value>',
      `only those with: ${Object.keys(filters).join(', ')}`, collect)
  }
  command
    .option('--format <format>', '"table", "json" (one object a line), "table TEMPLATE", or a '
      + "template such as '{{.Name}}'")
    .option('--no-trunc', 'do not cut ids and texts')
    .option('--json', 'print everything as JSON')
}

/**
 * Prints those of `things` that pass the filters, in the way that was asked for.
 * @throws UsageError when a filter or a field of the template is not known
 */
export function printList<T>(listing: Listing<T>, things: readonly T[],
  options: ListOptions): void {
  const passing = filtered(listing, things, options.filter ?? [])
  const shown = { isWhole: options.trunc === false, isCell: false, nowMs: Date.now() }
  if (options.json === true) printJson(passing)
  else print(listText(listing, passing, options, shown))
}

/** Filters are checked although there may be nothing to filter. */
export function filtered<T>({ filters = {} }: Listing<T>, things: readonly T[],
  words: readonly string[]): T[] {
  const asked = Map.groupBy(words.map(word => filterOf(filters, word)), ({ key }) => key)
  return things.filter(thing => [...asked].every(([key, wanted]) => {
    const { passes, all } = filters[key]!
    return all === true ? wanted.every(({ value }) => passes(thing, value))
      : wanted.some(({ value }) => passes(thing, value))
  }))
}

function filterOf<T>(filters: NonNullable<Listing<T>['filters']>, word: string,
): { key: string; value: string } {
  const at = word.indexOf('=')
  if (at <= 0) throw new UsageError(`--filter "${word}": write KEY=VALUE`)
  const [key, value] = [word.slice(0, at), word.slice(at + 1)]
  if (!Object.hasOwn(filters, key)) {
    throw new UsageError(`--filter "${word}": there is no filter "${key}"; there are: `
      + Object.keys(filters).join(', '))
  }
  const { values } = filters[key]!
  if (values !== undefined && !values.includes(value)) {
    throw new UsageError(`--filter "${word}": ${key} is one of: ${values.join(', ')}`)
  }
  return { key, value }
}

export function listText<T>(listing: Listing<T>, things: readonly T[],
  { format = TABLE, quiet }: ListOptions, shown: Shown): string {
  const { columns } = listing
  if (format === TABLE) {
    if (quiet === true) {
      return things.map(thing => String(columns[listing.quiet!]!.of(thing, shown))).join('\n')
    }
    const row = (thing: T): string[] =>
      listing.table.map(name => String(columns[name]!.of(thing, { ...shown, isCell: true })))
    return tableText(listing.table.map(name => columns[name]!.heading), things.map(row))
  }
  const rows = things.map(thing => fieldsOf(listing, thing, shown))
  if (format === 'json') return rows.map(row => JSON.stringify(row)).join('\n')
  if (format === TABLE || format.startsWith(`${TABLE} `)) {
    return ownTable(listing, rows, format.slice(TABLE.length + 1))
  }
  const template = compileTemplate(format)
  if (rows.length === 0) template(headings(listing)) // a wrong field is wrong without rows, too
  return rows.map(row => template(row)).join('\n')
}

/** A table with the columns of a template, which are apart by tabs. */
function ownTable<T>(listing: Listing<T>, rows: readonly object[], source: string): string {
  const template = compileTemplate(source)
  const heading = template(headings(listing), HEADING_FUNCTIONS).split('\t')
  return tableText(heading, rows.map(row => template(row).split('\t')))
}

function fieldsOf<T>({ columns, labels }: Listing<T>, thing: T, shown: Shown): object {
  const fields: Record<string, unknown> = {}
  for (const [name, column] of Object.entries(columns)) fields[name] = column.of(thing, shown)
  return labels === undefined ? fields
    : { ...fields, Label: (key: unknown) => labels(thing)[String(key)] ?? '' }
}

/** In place of a row's values the headings of its columns. */
function headings<T>({ columns, labels }: Listing<T>): object {
  const fields: Record<string, unknown> = {}
  for (const [name, { heading }] of Object.entries(columns)) fields[name] = heading
  return labels === undefined ? fields
    : { ...fields, Label: (key: unknown) => String(key).split(/[.\-_]/).at(-1)!.toUpperCase() }
}
