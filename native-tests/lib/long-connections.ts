// Connections that last: a client that holds many, says "open" when each has had an answer, and
// when it reads a line tells which of them still answer, and which are over. Run as a program, its
// arguments are how many, and whom to call: HOST:PORT… Servers answer each line with their name.
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { until } from './wait.ts'

const ASK_EVERY_MS = 250
const OPEN_MS = 20_000

/** Connections by the name that answered first. */
export type Held = { open: Record<string, number>; over: Record<string, number> }

/** Answers each line with the name of its host; the words of a task's command. */
export const NAMING_SERVER = ['perl', '-e', `use IO::Socket::INET; use IO::Select;
  use Sys::Hostname;
  my $l = IO::Socket::INET->new(LocalPort => 80, Listen => 200, ReuseAddr => 1) or die "$@";
  my $all = IO::Select->new($l);
  while (my @ready = $all->can_read) { for my $c (@ready) {
    if ($c == $l) { my $new = $l->accept; $all->add($new) if $new; next }
    if (sysread($c, my $words, 99)) { syswrite($c, hostname() . "\\n") }
    else { $all->remove($c); close $c } } }`]

class Connection {
  name = ''
  answers = 0
  isOver = false
  readonly #socket

  constructor(host: string, port: number) {
    this.#socket = connect(port, host, () => this.ask())
    createInterface({ input: this.#socket }).on('line', line => {
      this.name ||= line
      this.answers += 1
    }).on('error', () => {})
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => { this.isOver = true })
    this.#socket.on('end', () => { this.isOver = true })
  }

  ask(): void {
    if (!this.isOver) this.#socket.write('x\n')
  }
}

async function hold(count: number, targets: readonly string[]): Promise<void> {
  const all = Array.from({ length: count }, (_, n) => {
    const [host = '', port] = targets[n % targets.length]!.split(':')
    return new Connection(host, Number(port))
  })
  await until('all have been answered', () => all.every(({ name }) => name !== ''), OPEN_MS)
  console.log('open')
  const timer = setInterval(() => all.forEach(one => one.ask()), ASK_EVERY_MS)
  await new Promise(resolve => process.stdin.once('data', resolve))
  clearInterval(timer)
  await pause(ASK_EVERY_MS) // what was asked before has its answer
  const before = all.map(({ answers }) => answers)
  for (const one of all) one.ask()
  await until('all are answered again, or over', () =>
    all.every((one, n) => one.isOver || one.answers > before[n]!)).catch(() => {})
  const held: Held = { open: {}, over: {} }
  all.forEach(({ name, answers }, n) => {
    const which = answers > before[n]! ? held.open : held.over
    which[name] = (which[name] ?? 0) + 1
  })
  console.log(JSON.stringify(held))
  process.exit(0)
}

if (import.meta.main) {
  const [count, ...targets] = process.argv.slice(2)
  await hold(Number(count), targets)
}
