// A daemon that probes the paths to the hosts that are named, more often than usual. As a program:
// `probing-daemon.ts ADDRESS…`. A line on its input makes it print what it knows of the paths; the
// line "rise" makes it look for wider ones first.
import { createInterface } from 'node:readline'
import { startServer } from '../../src/api/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import { makeLog } from '../../src/base/log.ts'
import { makeRandom } from '../../src/base/prng.ts'
import { parseIpv4 } from '../../src/base/text.ts'
import { loadConfig } from '../../src/daemon/config.ts'
import { startDaemon } from '../../src/daemon/daemon.ts'
import { PathProber, type PathProberView } from '../../src/daemon/path-prober.ts'
import type { Lab } from './lab.ts'
import type { Running } from './running.ts'
import { until } from './wait.ts'

const VERIFY_EVERY_MS = 500
const DEVICE_MTU = 1500

async function serve(addresses: string[]): Promise<void> {
  const config = loadConfig()
  const log = makeLog({ level: 'silent', format: 'json' }, config.node.name)
  const daemon = await startDaemon(config, log)
  const server = await startServer({ socketPath: config.paths.socket, control: daemon.control, log })
  const prober = new PathProber({
    clock: systemClock, random: makeRandom(process.pid), log,
    underlay: { number: parseIpv4(config.underlay.address!), mtu: DEVICE_MTU },
    times: { verifyEveryMs: VERIFY_EVERY_MS },
    onPathMtu: octets => { void daemon.setPathMtu(octets) },
  })
  prober.start(addresses.map(address => ({ name: address, address: parseIpv4(address) })))
  const lines = createInterface({ input: process.stdin })
  lines.on('line', line => {
    if (line === 'rise') prober.rise()
    process.stdout.write(`${JSON.stringify(prober.view())}\n`)
  })
  process.once('SIGTERM', async () => {
    lines.close()
    prober.close()
    await server.close()
    await daemon.stop()
  })
  process.stdout.write('ready\n')
}

export class ProbingDaemon {
  readonly #running: Running

  private constructor(running: Running) {
    this.#running = running
  }

  /** In place of the daemon of `node`. */
  static async start(lab: Lab, node: string, ...addresses: string[]): Promise<ProbingDaemon> {
    await lab.daemon(node, 'stop')
    const running = lab.start(node, process.execPath, import.meta.filename, ...addresses)
    await until(`probing daemon on ${node}`, () => {
      if (running.stderr !== '') throw new Error(running.stderr)
      return running.stdout.startsWith('ready\n')
    })
    return new ProbingDaemon(running)
  }

  async view(word: 'view' | 'rise' = 'view'): Promise<PathProberView> {
    const before = this.#running.stdout.length
    this.#running.write(`${word}\n`)
    const line = await until('the view of a prober', () => {
      const text = this.#running.stdout.slice(before)
      return text.endsWith('\n') ? text : null
    })
    return JSON.parse(line) as PathProberView
  }

  stop(): Promise<number> {
    return this.#running.stop()
  }
}

if (process.argv[1] === import.meta.filename) await serve(process.argv.slice(2))
