// A Debian 12 of its own for a test: debootstrap makes it, its systemd is the first process of new
// namespaces (boot-host.sh). Nothing of it is outside its folder, and it ends with the test.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exec, type ExecResult } from '../../src/base/exec.ts'
import { cgroupMount } from '../../src/kernel/cgroup.ts'
import { until } from './wait.ts'

const PACKAGES = 'systemd,systemd-sysv,iproute2,iputils-ping,nftables'
const BOOT = join(import.meta.dirname, 'boot-host.sh')
const BOOTSTRAP_TIMEOUT_MS = 600_000
const BOOT_TIMEOUT_MS = 60_000
const COMMAND_TIMEOUT_MS = 120_000
const SPACES = ['--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup', '--root', '--wdns=/']
const ENVIRONMENT = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LC_ALL=C']

export class DebianHost {
  readonly root: string
  readonly #folder: string
  readonly #cgroup: string
  #boot: ChildProcess | undefined
  #pid = 0

  private constructor(folder: string) {
    this.#folder = folder
    this.root = join(folder, 'root')
    const mount = cgroupMount(readFileSync('/proc/self/mountinfo', 'utf8'))
    this.#cgroup = join(mount ?? '/sys/fs/cgroup', `tapmesh-test-${process.pid}`)
  }

  /** DEBIAN_ROOT in the environment: a folder that debootstrap has made, to be copied instead. */
  static async make(): Promise<DebianHost> {
    const host = new DebianHost(mkdtempSync(join(tmpdir(), 'tapmesh-debian-')))
    const ready = process.env['DEBIAN_ROOT']
    if (ready !== undefined) {
      execFileSync('cp', ['--archive', ready, host.root])
      return host
    }
    const made = await exec(['debootstrap', '--variant=minbase', `--include=${PACKAGES}`,
      'bookworm', host.root], BOOTSTRAP_TIMEOUT_MS)
    if (made.code !== 0) throw new Error(`debootstrap: ${made.stdout.slice(-500)}${made.stderr}`)
    return host
  }

  /** Returns when systemd says that it has come up. */
  async boot(): Promise<void> {
    mkdirSync(this.#cgroup)
    // It begins in a group of its own, which is the root of all groups as the host sees them.
    const words = ['-c', 'echo 0 >"$1/cgroup.procs" && exec sh "$2" "$3"', 'sh',
      this.#cgroup, BOOT, this.root]
    this.#boot = spawn('sh', words, { stdio: 'ignore' })
    await until('the first process', () => this.#findFirst(), BOOT_TIMEOUT_MS)
    await until('systemd is up', async () => {
      const { stdout } = await this.run('systemctl', 'is-system-running')
      return ['running', 'degraded'].includes(stdout.trim())
    }, BOOT_TIMEOUT_MS)
  }

  /** systemd moves itself to init.scope as soon as it has read its units. */
  #findFirst(): boolean {
    try {
      const pids = readFileSync(join(this.#cgroup, 'init.scope', 'cgroup.procs'), 'utf8')
      this.#pid = pids.trim().split('\n').map(Number).find(pid =>
        readFileSync(`/proc/${pid}/comm`, 'utf8') === 'systemd\n') ?? 0
    } catch {
      this.#pid = 0
    }
    return this.#pid > 0
  }

  /** Run a command to its end; it may fail. */
  run(...command: string[]): Promise<ExecResult> {
    return exec(['nsenter', '--target', String(this.#pid), ...SPACES, '--',
      ...ENVIRONMENT, ...command], COMMAND_TIMEOUT_MS)
  }

  /** Run a command that must not fail; answers its stdout. */
  async out(...command: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command)
    if (code === 0) return stdout.trim()
    throw new Error(`${command.join(' ')}: exit ${code}: ${stderr}${stdout}`)
  }

  sh(script: string): Promise<string> {
    return this.out('bash', '-euc', script)
  }

  /** Every path of its disk, but for what logs and the package system write at any time. */
  async paths(): Promise<string[]> {
    const listing = await this.out('find', '/', '-xdev',
      '(', '-path', '/var/log', '-o', '-path', '/var/lib/dpkg', '-o', '-path', '/var/lib/systemd',
      '-o', '-path', '/var/cache', ')', '-prune', '-o', '-print')
    return listing.split('\n').sort()
  }

  async end(): Promise<void> {
    if (this.#boot !== undefined) {
      const gone = new Promise(resolve => this.#boot!.once('close', resolve))
      // With the first process the kernel ends all of its namespace.
      writeFileSync(join(this.#cgroup, 'cgroup.kill'), '1')
      await gone
      await until('its groups are empty', () =>
        readFileSync(join(this.#cgroup, 'cgroup.events'), 'utf8').includes('populated 0'))
      execFileSync('find', [this.#cgroup, '-depth', '-type', 'd', '-delete'])
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
