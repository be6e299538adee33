// A wire that loses and reorders, for kernels without netem: a program that two VTEPs take for
// each other. It listens on the VXLAN port of its own address, and passes what the one sends to the
// other. As a program: `lossy-relay.ts ADDRESS ADDRESS LOSS REORDER SEED`, in parts of a thousand;
// a line on its input makes it print its counts.
import { createSocket } from 'node:dgram'
import { makeRandom } from '../../src/base/prng.ts'
import type { Lab } from './lab.ts'
import type { Running } from './running.ts'
import { until } from './wait.ts'

const PORT = 4789
const BUFFER_OCTETS = 8 << 20
/** How many datagrams may pass a delayed one, and how long it waits when none come. */
const PASSED_MAX = 8
const WAIT_MAX_MS = 4

export type RelayCounts = { passed: number; lost: number; reordered: number }

function relay(first: string, second: string, lossThousandths: number,
  reorderThousandths: number, seed: number): void {
  const random = makeRandom(seed)
  const counts: RelayCounts = { passed: 0, lost: 0, reordered: 0 }
  const socket = createSocket('udp4')
  const pass = (octets: Buffer, to: string): void => {
    counts.passed += 1
    socket.send(octets, PORT, to)
  }
  let late: { octets: Buffer; to: string; after: number } | undefined
  const letGo = (): void => {
    if (late === undefined) return
    const { octets, to } = late
    late = undefined
    pass(octets, to)
  }
  socket.on('message', (octets, { address }) => {
    const to = address === first ? second : first
    if (random() % 1000 < lossThousandths) {
      counts.lost += 1
    } else if (late === undefined && random() % 1000 < reorderThousandths) {
      counts.reordered += 1
      late = { octets, to, after: 1 + random() % PASSED_MAX }
      setTimeout(letGo, WAIT_MAX_MS)
    } else {
      pass(octets, to)
      if (late !== undefined && --late.after === 0) letGo()
    }
  })
  socket.bind(PORT, () => {
    socket.setRecvBufferSize(BUFFER_OCTETS)
    console.log('relaying')
  })
  process.stdin.on('data', () => console.log(JSON.stringify(counts)))
}

if (import.meta.main) {
  const [first = '', second = '', ...numbers] = process.argv.slice(2)
  const [loss = 0, reorder = 0, seed = 0] = numbers.map(Number)
  relay(first, second, loss, reorder, seed)
}

/** Start it on a host. */
export async function startRelay(lab: Lab, host: string, ends: readonly [string, string],
  faults: { loss: number; reorder: number; seed: number }): Promise<Running> {
  const { loss, reorder, seed } = faults
  const running = lab.start(host, process.execPath, import.meta.filename, ...ends, String(loss),
    String(reorder), String(seed))
  await until(`relay on ${host}`, () => running.stdout.includes('relaying'))
  return running
}

/** What it has done so far. */
export async function countsOf(running: Running): Promise<RelayCounts> {
  const before = running.stdout.length
  running.write('counts\n')
  const line = await until('counts of the relay', () =>
    /^\{.*\}$/m.exec(running.stdout.slice(before))?.[0])
  return JSON.parse(line) as RelayCounts
}
