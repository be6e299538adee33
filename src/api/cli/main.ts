// The command line: names every command, and loads only the one that is asked for, so that a start
// stays fast. What each command does is in commands/.
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addSocketOption } from './connect.ts'
import { reportFailure } from './failure.ts'
import { guardOutput } from './output.ts'

type Loaded = { define(command: Command): void }
type Row = readonly [words: string, summary: string, load: () => Promise<Loaded>]

const GROUPS: readonly (readonly [word: string, summary: string])[] = [
  ['node', 'Manage the nodes of the cluster'],
  ['cluster', 'Look into the cluster, and renew its keys'],
  ['network', 'Manage overlay networks'],
  ['service', 'Manage services'],
  ['vtep', 'Manage the remote VTEPs that are named by hand'],
  ['fdb', 'Show where MAC addresses were learned'],
  ['lb', 'Show what this node balances'],
  ['dns', 'Show names, and how they are answered'],
]

const COMMANDS: readonly Row[] = [
  ['daemon', 'Run the daemon of this host', () => import('./commands/daemon.ts')],
  ['init', 'Begin a cluster with this node', () => import('./commands/init.ts')],
  ['join', 'Join a cluster', () => import('./commands/join.ts')],
  ['join-token', 'Show or renew the token for new nodes',
    () => import('./commands/join-token.ts')],
  ['leave', 'Leave the cluster', () => import('./commands/leave.ts')],
  ['node ls', 'List nodes', () => import('./commands/node-ls.ts')],
  ['node inspect', 'Show nodes in detail, as JSON', () => import('./commands/node-inspect.ts')],
  ['node ps', 'List the tasks of services on nodes', () => import('./commands/node-ps.ts')],
  ['node update', 'Change the availability or labels of a node',
    () => import('./commands/node-update.ts')],
  ['node rm', 'Forget nodes', () => import('./commands/node-rm.ts')],
  ['peers', 'Show the members of the mesh as this node sees them',
    () => import('./commands/peers.ts')],
  ['ping', 'Measure the way to another node', () => import('./commands/ping.ts')],
  ['cluster tables', 'Show what all nodes know together',
    () => import('./commands/cluster-tables.ts')],
  ['cluster watch', 'Show changes of the cluster as they come',
    () => import('./commands/cluster-watch.ts')],
  ['cluster rotate-keys', 'Give the gossip a new key',
    () => import('./commands/cluster-rotate-keys.ts')],
  ['status', 'Show node, networks, endpoints, VTEPs and counters',
    () => import('./commands/status.ts')],
  ['info', 'Show what this node is, and in which cluster', () => import('./commands/info.ts')],
  ['network create', 'Create a network', () => import('./commands/network-create.ts')],
  ['network ls', 'List networks', () => import('./commands/network-ls.ts')],
  ['network inspect', 'Show networks in detail, as JSON',
    () => import('./commands/network-inspect.ts')],
  ['network rm', 'Remove networks', () => import('./commands/network-rm.ts')],
  ['network connect', 'Connect a task to a network',
    () => import('./commands/network-connect.ts')],
  ['network disconnect', 'Disconnect a task from a network',
    () => import('./commands/network-disconnect.ts')],
  ['network prune', 'Remove all networks that nobody uses',
    () => import('./commands/network-prune.ts')],
  ['service create', 'Create a service', () => import('./commands/service-create.ts')],
  ['service ls', 'List services', () => import('./commands/service-ls.ts')],
  ['service ps', 'List the tasks of services', () => import('./commands/service-ps.ts')],
  ['service inspect', 'Show services in detail, as JSON or in lines',
    () => import('./commands/service-inspect.ts')],
  ['service logs', 'Show the output of a service', () => import('./commands/service-logs.ts')],
  ['service scale', 'Change the number of tasks of services',
    () => import('./commands/service-scale.ts')],
  ['service update', 'Change a service', () => import('./commands/service-update.ts')],
  ['service rollback', 'Undo the last update of a service',
    () => import('./commands/service-rollback.ts')],
  ['service rm', 'Remove services', () => import('./commands/service-rm.ts')],
  ['vtep add', 'Name a remote VTEP', () => import('./commands/vtep-add.ts')],
  ['vtep ls', 'List the named VTEPs', () => import('./commands/vtep-ls.ts')],
  ['vtep rm', 'Forget a named VTEP', () => import('./commands/vtep-rm.ts')],
  ['fdb ls', 'List learned MAC addresses', () => import('./commands/fdb-ls.ts')],
  ['lb ls', 'List services and their backends, as ipvsadm does',
    () => import('./commands/lb-ls.ts')],
  ['lb rules', 'List what is balanced by which service', () => import('./commands/lb-rules.ts')],
  ['lb flows', 'List connections through virtual addresses',
    () => import('./commands/lb-flows.ts')],
  ['dns ls', 'List the names that tasks can ask for', () => import('./commands/dns-ls.ts')],
  ['dns why', 'Show how the answer to a name comes about', () => import('./commands/dns-why.ts')],
  ['run', 'Run a command in a network namespace of its own', () => import('./commands/run.ts')],
  ['exec', 'Run a command beside a task, in its namespaces', () => import('./commands/exec.ts')],
  ['ps', 'List tasks', () => import('./commands/ps.ts')],
  ['stop', 'Stop tasks', () => import('./commands/stop.ts')],
  ['kill', 'Send a signal to tasks', () => import('./commands/kill.ts')],
  ['wait', 'Wait for tasks to end and print their exit codes', () => import('./commands/wait.ts')],
  ['rm', 'Remove tasks', () => import('./commands/rm.ts')],
  ['logs', 'Show the output of a task', () => import('./commands/logs.ts')],
  ['inspect', 'Show tasks, networks, services or nodes in detail, as JSON',
    () => import('./commands/inspect.ts')],
  ['capture', 'Show VXLAN packets of the underlay as they pass',
    () => import('./commands/capture.ts')],
  ['whoami', 'Run a small web server that tells who it is', () => import('./commands/whoami.ts')],
  ['completion', 'Print what makes the Tab key work in a shell',
    () => import('./commands/completion.ts')],
  ['__complete', 'Say what may stand at the end of a command line',
    () => import('./commands/complete.ts')],
]

/** Runs one command line; the exit code is left in process.exitCode. */
async function main(words: string[]): Promise<void> {
  guardOutput()
  let asked: Command | null = null
  const program = makeProgram(command => (asked = command))
  try {
    // "help X" is "X --help": the hook that loads a command does not run for commander's own help.
    const helpFirst = words[0] === 'help' ? [...words.slice(1), '--help'] : words
    await program.parseAsync(helpFirst, { from: 'user' })
  } catch (error) {
    process.exitCode = reportFailure(error, asked ?? program)
  }
}

/** The command line with all commands loaded, for whoever reads it and does not run it. */
export async function makeWholeProgram(): Promise<Command> {
  const loads: Promise<void>[] = []
  const program = makeProgram(() => {}, (command, load) => {
    loads.push(load().then(loaded => loaded.define(command)))
  })
  await Promise.all(loads)
  return program
}

/** @param onDefined is told of each command, and what loads it */
function makeProgram(
  onAsked: (command: Command) => void, onDefined = (_command: Command, _load: Row[2]) => {},
): Command {
  const { version } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }
  const program = new Command('tapmesh')
    .description('A userspace overlay network for Linux: VXLAN between hosts, tasks in namespaces.')
    .version(`tapmesh ${version}`, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
  const loaders = new Map<Command, Row[2]>()
  const prepare = async (_parent: Command, command: Command) => {
    onAsked(command)
    const load = loaders.get(command)
    if (load !== undefined) (await load()).define(command)
  }
  prepareParent(program, prepare)
  addSocketOption(program)
  program.addHelpText('after', "\nSee 'tapmesh COMMAND --help' for each command.\n\nExample:\n"
    + '  tapmesh network create mynet\n  tapmesh run -d --name web --network mynet -- sleep 600\n')
  for (const [words, summary, load] of COMMANDS) {
    const [first = '', second] = words.split(' ')
    const parent = second === undefined ? program : groupOf(program, first, prepare)
    const command = parent.command(second ?? first, { hidden: first.startsWith('_') })
      .description(`${summary}.`).summary(summary)
    loaders.set(command, load)
    onDefined(command, load)
  }
  return program
}

type Prepare = (parent: Command, command: Command) => Promise<void>

function groupOf(program: Command, word: string, prepare: Prepare): Command {
  const known = program.commands.find(command => command.name() === word)
  if (known !== undefined) return known
  const summary = GROUPS.find(([group]) => group === word)?.[1] ?? ''
  const group = program.command(word).summary(summary).description(`${summary}.`).helpCommand(false)
  prepareParent(group, prepare)
  return group
}

/** Options after a command's name belong to the command: `run` passes its own on. */
function prepareParent(parent: Command, prepare: Prepare): void {
  parent.enablePositionalOptions().hook('preSubcommand', prepare)
}

// It is not waited for here: a command may import this file, which is then whole.
if (import.meta.main) void main(process.argv.slice(2))
