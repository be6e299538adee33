// Hosts for members of a mesh: a network namespace each, with one address, at one switch. They are
// gone after the test, also when it is killed.
import { spawn, type ChildProcess } from 'node:child_process'
import { exec } from '../../src/base/exec.ts'

const NETWORK = '10.99.0'

export class GossipNet {
  readonly #name = `tmg${process.pid}`
  readonly #count: number
  #guard: ChildProcess | undefined

  /** @param count hosts: 0 to `count` - 1 */
  constructor(count: number) {
    this.#count = count
  }

  address(host: number): string {
    return `${NETWORK}.${host + 1}`
  }

  /** The words that run a command in a host. */
  words(host: number, command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.#namespace(host), ...command]
  }

  /** @throws Error with what `ip` said */
  async up(): Promise<void> {
    this.#guard = downAfter(process.pid, this.#namespaces())
    for (const namespace of this.#namespaces()) await run(['ip', 'netns', 'add', namespace])
    const hub = ['ip', '-n', this.#hub]
    await run([...hub, 'link', 'add', 'switch', 'type', 'bridge', 'stp_state', '0',
      'forward_delay', '0'])
    await run([...hub, 'link', 'set', 'switch', 'up'])
    for (let host = 0; host < this.#count; host += 1) await this.#plug(host)
  }

  async down(): Promise<void> {
    for (const namespace of this.#namespaces()) await exec(['ip', 'netns', 'del', namespace])
    if (this.#guard?.pid !== undefined) process.kill(-this.#guard.pid)
  }

  get #hub(): string {
    return `${this.#name}-hub`
  }

  #namespace(host: number): string {
    return `${this.#name}-${host}`
  }

  #namespaces(): string[] {
    const hosts = Array.from({ length: this.#count }, (_, host) => this.#namespace(host))
    return [this.#hub, ...hosts]
  }

  async #plug(host: number): Promise<void> {
    const namespace = this.#namespace(host)
    const inHub = ['ip', '-n', this.#hub, 'link']
    const inHost = ['ip', '-n', namespace]
    await run([...inHub, 'add', `port${host}`, 'type', 'veth', 'peer', 'name', 'eth0',
      'netns', namespace])
    await run([...inHub, 'set', `port${host}`, 'master', 'switch', 'up'])
    await run([...inHost, 'address', 'add', `${this.address(host)}/24`, 'dev', 'eth0'])
    await run([...inHost, 'link', 'set', 'lo', 'up'])
    await run([...inHost, 'link', 'set', 'eth0', 'up'])
  }
}

async function run(argv: readonly string[]): Promise<void> {
  const { code, stderr } = await exec(argv)
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${stderr.trim()}`)
}

/** Takes the namespaces down if this process ends before it could do so. */
function downAfter(pid: number, namespaces: readonly string[]): ChildProcess {
  const script = 'tail --pid="$1" -f /dev/null; shift; for ns; do ip netns del "$ns"; done'
  const guard = spawn('sh', ['-c', script, 'sh', String(pid), ...namespaces],
    { detached: true, stdio: 'ignore' })
  guard.unref()
  return guard
}
