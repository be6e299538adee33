// Prints the manual page, tapmesh(1), in the language of man(7): all of it comes from the help of
// the commands, so that it cannot say anything else.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { makeWholeProgram } from '../../src/api/cli/main.ts'
import { DEFAULT_CONFIG_PATH } from '../../src/daemon/config.ts'

const MANIFEST = join(import.meta.dirname, '..', '..', 'package.json')
const { version } = JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string }
const FILES: readonly (readonly [path: string, what: string])[] = [
  [DEFAULT_CONFIG_PATH, 'Settings of the daemon.'],
  ['/run/tapmesh/tapmesh.sock', 'Where the daemon answers.'],
  ['/var/lib/tapmesh', 'What the daemon remembers: networks, tasks and their logs, the identity of '
    + 'the node, the tables of the cluster.'],
]

/** What is not to be read as a request of man(7), and is to be printed as it stands. */
function plain(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq')
    .replace(/^\./gm, '\\&.')
}

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf)
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`
}

/** What stands below the options in its help, mostly examples. */
function restOfHelp(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: text => { help += text } })
  command.outputHelp()
  return help.slice(command.helpInformation().length).trim()
}

function sectionOf(command: Command): string[] {
  const help = command.createHelp()
  const lines = [`.SS "${plain(help.commandUsage(command))}"`, plain(command.description())]
  const terms = [
    ...help.visibleArguments(command).map(one =>
      [help.argumentTerm(one), help.argumentDescription(one)]),
    ...help.visibleOptions(command).map(one =>
      [help.optionTerm(one), help.optionDescription(one)]),
  ]
  for (const [term = '', text = ''] of terms) lines.push('.TP', `.B ${plain(term)}`, plain(text))
  const rest = restOfHelp(command)
  if (rest !== '') lines.push('.PP', '.nf', plain(rest), '.fi')
  return lines
}

const program = await makeWholeProgram()
const commands = leavesOf(program)
console.log([
  `.TH TAPMESH 1 "" "tapmesh ${version}" "User Commands"`,
  '.SH NAME',
  'tapmesh \\- userspace overlay network between Linux hosts',
  '.SH SYNOPSIS',
  '.B tapmesh',
  '.I COMMAND',
  '[option ...] [argument ...]',
  '.SH DESCRIPTION',
  plain(program.description()),
  '.SH OPTIONS',
  ...sectionOf(program).slice(2).filter(line => line !== '' && !line.startsWith('See ')),
  '.SH COMMANDS',
  ...commands.flatMap(command => ['.TP', `.B ${plain(nameOf(command))}`,
    plain(command.description())]),
  '.SH COMMANDS IN DETAIL',
  ...commands.flatMap(sectionOf),
  '.SH FILES',
  ...FILES.flatMap(([path, what]) => ['.TP', `.I ${plain(path)}`, plain(what)]),
].join('\n'))
