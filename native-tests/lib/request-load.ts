// Asks web servers in turn, each time by a new connection, until it reads a line: a small client
// that misses nothing. Run as a program: URLs are its arguments, and what became of it is one line
// of JSON.
import { request } from 'node:http'

const EVERY_MS = 10
const TIMEOUT_MS = 10_000
const FAULTS_SHOWN_MAX = 20

export type Load = {
  answers: number
  /** "1200 ms http://…: read ECONNRESET": when, whom, what. */
  faults: string[]
  /** Answers by what follows "Hostname: ". */
  hosts: Record<string, number>
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
  const load: Load = { answers: 0, faults: [], hosts: {} }
  const beganMs = performance.now()
  const open = new Set<Promise<void>>()
  let turn = 0
  const timer = setInterval(() => {
    const url = urls[turn++ % urls.length]!
    const one = ask(url).then(text => {
      const host = /^Hostname: (.+)$/m.exec(text)?.[1] ?? ''
      load.answers += 1
      load.hosts[host] = (load.hosts[host] ?? 0) + 1
    }, error => {
      const atMs = (performance.now() - beganMs).toFixed(0)
      if (load.faults.length < FAULTS_SHOWN_MAX) load.faults.push(`${atMs} ms ${url}: ${error}`)
    }).finally(() => open.delete(one))
    open.add(one)
  }, EVERY_MS)
  await new Promise(resolve => process.stdin.once('data', resolve))
  clearInterval(timer)
  await Promise.all(open)
  console.log(JSON.stringify(load))
  process.exit(0)
}

if (import.meta.main) await run(process.argv.slice(2))
