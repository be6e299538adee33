// A sender like a virtual machine: it gives the kernel frames with virtio headers, whose checksums
// are partial and which stand for several datagrams. And what a task may try with such headers.
// May run beside another test.
import {
  A, B, firstDifference, type Passed, UDP, virtioHeader, virtioWords,
} from '../src/path/offload.test-kit.ts'
import { specOf, superFrame, type SuperSpec } from '../src/path/super-frame.test-kit.ts'
import { station } from '../src/path/frames.test-kit.ts'
import { useLab } from './lib/lab.ts'
import { sendOffloaded } from './lib/packet-sender.ts'
import type { Running } from './lib/running.ts'
import { tcpdump } from './lib/tcpdump.ts'
import { untilReached } from './lib/traffic.ts'
import { until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, needs: { tools: ['ping', 'perl', 'tcpdump', 'tshark'] } })
const NEIGHBOUR = station('10.0.1.4')
/** The port that super-frames of the kit go to. */
const PORT = 5201

/** Prints what each UDP datagram holds, in hexadecimal; over IPv6, and so over IPv4 too. */
const LISTEN = `
  const socket = require('node:dgram').createSocket('udp6')
  socket.on('message', octets => console.log(octets.toString('hex')))
  socket.bind(${PORT}, () => console.log('listening'))
`

async function listen(where: string): Promise<Running> {
  const running = lab.start(where, process.execPath, '-e', LISTEN)
  await until(`listener in ${where}`, () => running.stdout.includes('listening'))
  return running
}

/** What a listener printed, once it has printed so much. */
async function datagrams(listener: Running, count: number): Promise<Buffer[]> {
  const lines = () => listener.stdout.split('\n').slice(1, -1)
  await until(`${count} datagrams`, () => lines().length >= count)
  return lines().map(line => Buffer.from(line, 'hex'))
}

const partsOf = (payload: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(payload.length / size) }, (_, n) =>
    payload.subarray(n * size, (n + 1) * size))

lab.test('a sender, a neighbour, and somebody on the other node', async () => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.bareTask('node1', 'a', `mynet,ip=${A.address}`)
  await lab.bareTask('node1', 'near', `mynet,ip=${NEIGHBOUR.address}`)
  await lab.bareTask('node2', 'far', `mynet,ip=${B.address}`)
  await untilReached(lab, 'node1/a', B.address)
})

const SPECS: [name: string, over: Partial<SuperSpec>][] = [
  ['one datagram with a partial checksum', { segments: 1, size: 700 }],
  ['a super-frame', { segments: 20, size: 1000, last: 333 }],
  ['a super-frame of 64', { segments: 64, size: 100 }],
  ['a super-frame of octets', { segments: 30, size: 1 }],
]
for (const [name, over] of SPECS) {
  for (const version of [4, 6] as const) {
    lab.test(`UDP over IPv${version}, ${name}, near and far`, async t => {
      for (const [where, to] of [['node1/near', NEIGHBOUR], ['node2/far', B]] as const) {
        const listener = await listen(where)
        const spec = specOf({ version, protocol: UDP, ...over })
        const whole = superFrame(spec, A, to)
        const single = { ...virtioWords(whole.header), type: 0, size: 0, headerOctets: 0 }
        const header = spec.segments === 1 ? virtioHeader(single) : whole.header
        await sendOffloaded(lab, 'node1/a', 'eth0', [{ header, octets: whole.octets }])
        const wanted = partsOf(whole.payload, spec.size)
        t.equal(firstDifference(await datagrams(listener, wanted.length), wanted), '', where)
        await listener.stop()
      }
    })
  }
}

/**
 * Where a header may ask for a checksum: from octet `start` on, `offset` octets behind that. This
 * is what Linux 6.18 lets pass; older kernels take a start of 0 too, and so the sender's MAC.
 */
const TRIES: [what: string, start: number, offset: number][] = [
  ['its address', 20, 6], ['the end of its address', 28, 0], ['its time to live', 20, 2],
  ['the other\'s address', 30, 0],
]
for (const [what, start, offset] of TRIES) {
  lab.test(`no task changes ${what} by asking for a checksum there`, async t => {
    const { octets } = superFrame(specOf({ protocol: UDP, segments: 1, size: 700 }), A, B)
    const tried: Passed = { octets, header: virtioHeader({ flags: 1, start, offset }) }
    const good: Passed = { octets, header: virtioHeader({ flags: 1, start: 34, offset: 6 }) }
    const before = await lab.drops('node1', 'malformed')
    const capture = await tcpdump(lab, 'node2/far', 'eth0', `udp port ${PORT}`)
    await sendOffloaded(lab, 'node1/a', 'eth0', [tried, tried, tried, good])
    await capture.atLeast(1)
    await capture.stop()
    t.equal(await lab.drops('node1', 'malformed'), before + 3)
    t.same(capture.frames().map(frame => frame.toString('hex', 0, 34)),
      [Buffer.from(octets).toString('hex', 0, 34)], 'the good one, with the headers it has')
  })
}
