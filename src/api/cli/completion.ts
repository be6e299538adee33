// What may stand at the cursor of a command line: commands, options and their values from
// commander's own tree, names of things from the daemon.
import type { Argument, Command, Option } from 'commander'
import { makeClient, type Client } from '../client.ts'
import { socketPathOf } from './connect.ts'

export type Candidate = Readonly<{ value: string; says: string }>

/** Whoever presses the Tab key does not wait for longer. */
export const NAMES_TIMEOUT_MS = 1000
/** More names would help nobody, and a shell asks before it shows so many. */
const CANDIDATES_MAX = 512

type Source = (client: Client) => Promise<readonly string[]>

const networks: Source = async client => (await client.networks()).map(({ name }) => name)
const tasks: Source = async client => (await client.tasks()).map(({ name }) => name)
const nodes: Source = async client => (await client.nodes()).map(({ name }) => name)
const services: Source = async client => (await client.services()).map(({ name }) => name)
const tables: Source = async client => (await client.tables()).map(({ table }) => table)

/** Arguments by their name; "name" is one of what its group of commands is about. */
const ARGUMENTS: Readonly<Record<string, Source | readonly string[]>> = {
  network: networks, task: tasks, node: nodes, service: services, table: tables,
  role: ['worker', 'manager'], shell: ['bash', 'zsh', 'fish'],
}
const GROUPS: Readonly<Record<string, Source>> = {
  network: networks, node: nodes, service: services, tapmesh: tasks,
}
/** Values of options by their long name. */
const OPTIONS: Readonly<Record<string, Source | readonly string[]>> = {
  '--network': networks, '--network-add': networks, '--network-rm': networks,
  '--availability': ['active', 'pause', 'drain'], '--role': ['worker', 'manager'],
  '--format': ['table', 'json'], '--driver': ['overlay'], '--mode': ['replicated', 'global'],
  '--endpoint-mode': ['vip', 'dnsrr'], '--runtime': ['process', 'crun'],
  '--restart-condition': ['any', 'on-failure', 'none'],
}

/** Where the cursor is, after all words but the one that is being written. */
type Place = Readonly<{
  command: Command
  /** The option whose value comes next. */
  option: Option | null
  /** Arguments that stand before. */
  count: number
  /** What comes now belongs to another program, or to "--". */
  isPast: boolean
  socketPath: string | null
}>

/** @param words what stands after "tapmesh", the last one being written and perhaps empty */
export async function completionsOf(program: Command, words: readonly string[],
): Promise<Candidate[]> {
  const last = words.at(-1) ?? ''
  const place = placeOf(program, words.slice(0, -1))
  const found = await candidatesAt(place, last)
  return found.filter(({ value }) => value.startsWith(last) && value !== '')
    .slice(0, CANDIDATES_MAX)
}

function placeOf(program: Command, words: readonly string[]): Place {
  let command = program
  let option: Option | null = null
  let count = 0
  let socketPath: string | null = null
  let isPast = false
  for (const word of words) {
    if (option !== null) {
      if (option.long === '--socket') socketPath = word
      option = null
    } else if (isPast || word === '--') isPast = true
    else if (word.startsWith('-')) {
      const [name = '', value] = word.split('=', 2)
      const known = optionsOf(command)
        .find(({ short, long }) => short === name || long === name)
      if (known?.required === true && value === undefined) option = known
    } else if (command.commands.length > 0) {
      command = command.commands.find(one => one.name() === word) ?? command
    } else {
      count += 1
      isPast = passesOn(command.registeredArguments, count)
    }
  }
  return { command, option, count, isPast, socketPath }
}

/** The words of a program that is to run belong to it: `run CMD…`, `exec NAME CMD…`. */
function passesOn(known: readonly Argument[], count: number): boolean {
  const at = known.findIndex(argument => argument.name() === 'command')
  return at >= 0 && count > at
}

async function candidatesAt(place: Place, last: string): Promise<Candidate[]> {
  const { command, option, count, isPast } = place
  if (option !== null) return namesFrom(place, OPTIONS[option.long ?? ''])
  if (isPast) return []
  if (last.startsWith('-')) {
    return optionsOf(command).map(({ long, short, description }) =>
      ({ value: long ?? short ?? '', says: description }))
  }
  if (command.commands.length > 0) {
    return command.createHelp().visibleCommands(command)
      .map(one => ({ value: one.name(), says: one.summary() }))
  }
  const known = command.registeredArguments
  const argument = known[count] ?? (known.at(-1)?.variadic === true ? known.at(-1) : undefined)
  if (argument === undefined) return []
  const source = argument.name() === 'name' && command.name() !== 'create'
    ? GROUPS[command.parent?.name() ?? ''] : ARGUMENTS[argument.name()]
  return namesFrom(place, source)
}

async function namesFrom({ command, socketPath }: Place, source: Source | readonly string[] = [],
): Promise<Candidate[]> {
  const names = typeof source !== 'function' ? source
    : await source(makeClient({
      socketPath: socketPath ?? socketPathOf(command), timeoutMs: NAMES_TIMEOUT_MS,
    })).catch(() => []) // without a daemon there are no names
  return names.map(value => ({ value, says: '' }))
}

function optionsOf(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command)
}
