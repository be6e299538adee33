// Asks web servers in turn, PER_SECOND times a second and each time by a new connection, until it
// reads a line: a small client that misses nothing. Run as a program: URLs are its arguments, and
// what became of it is one line of JSON.
import { request } from 'node:http'
import type { Lab } from './lab.ts'

export const PER_SECOND = 200
const TICK_MS = 5
const TIMEOUT_MS = 10_000
const FAULTS_KEPT_MAX = 2000

/** Times are milliseconds since 1970, so that others can be compared. */
export type Fault = { beganAt: number; endedAt: number; url: string; error: string }
export type Load = {
  answers: number
  perSecond: number
  faults: Fault[]
  /** Answers by what follows "Hostname: ". */
  hosts: Record<string, number>
}

/** Asks `urls` from the host "client" while `change` is made; answers how that went. */
export async function underLoad(lab: Lab, urls: readonly string[],
  change: () => Promise<void>): Promise<Load> {
  const calling = lab.start('client', process.execPath, import.meta.filename, ...urls)
  await change()
  calling.write('enough\n')
  await calling.ended
  return JSON.parse(calling.stdout) as Load
}

function ask(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, timeout: TIMEOUT_MS }, response => {
      const parts: Buffer[] = []
      response.on('data', part => parts.push(part as Buffer))
      response.on('end', () => resolve(Buffer.concat(parts).toString()))
      response.on('error', reject)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')))
    asked.on('error', reject)
    asked.end()
  })
}

async function run(urls: readonly string[]): Promise<void> {
  const load: Load = { answers: 0, perSecond: 0, faults: [], hosts: {} }
  const beganMs = performance.now()
  const secondsNow = (): number => (performance.now() - beganMs) / 1000
  const open = new Set<Promise<void>>()
  let asked = 0
  const one = async (url: string): Promise<void> => {
    const beganAt = Date.now()
    try {
      const host = /^Hostname: (.+)$/m.exec(await ask(url))?.[1] ?? ''
      load.answers += 1
      load.hosts[host] = (load.hosts[host] ?? 0) + 1
    } catch (error) {
      if (load.faults.length >= FAULTS_KEPT_MAX) return
      load.faults.push({ beganAt, endedAt: Date.now(), url, error: String(error) })
    }
  }
  // A timer that comes late is made up for: so many a second are asked, whatever else runs here.
  const timer = setInterval(() => {
    for (; asked < secondsNow() * PER_SECOND; asked++) {
      const asking = one(urls[asked % urls.length]!).finally(() => open.delete(asking))
      open.add(asking)
    }
  }, TICK_MS)
  await new Promise(resolve => process.stdin.once('data', resolve))
  clearInterval(timer)
  load.perSecond = asked / secondsNow()
  await Promise.all(open)
  console.log(JSON.stringify(load))
  process.exit(0)
}

if (import.meta.main) await run(process.argv.slice(2))
