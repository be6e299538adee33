// The same super-frames, and the same stream of TCP, through the kernel's VXLAN device and through
// ours: what is on the wire inside is the same.
import fc from 'fast-check'
import {
  A, ACK, B, faultOf, payloadAt, segmentsOf, shapeOf, TCP, UDP,
} from '../src/path/offload.test-kit.ts'
import {
  anySpec, specOf, superFrame, type SuperFrame, type SuperSpec,
} from '../src/path/super-frame.test-kit.ts'
import { useLab } from './lib/lab.ts'
import { sendOffloaded } from './lib/packet-sender.ts'
import { streamHash, streamServer, untilStreams, uploadWhole } from './lib/stream-server.ts'
import { type Tcpdump, tcpdump } from './lib/tcpdump.ts'
import { settled, until } from './lib/wait.ts'

const lab = useLab({ nodes: 2, needs: {
  tools: ['curl', 'tcpdump', 'tshark', 'ethtool', 'perl', 'bridge'], links: ['vxlan'],
} })
const SEED = Number(process.env['TAPMESH_SEED'] ?? 4789)
const FRAMES = 60
const FRAMES_AT_ONCE = 8
const FIRST_PORT = 20_000
const OURS = '192.168.56.11'
const KERNELS = '192.168.56.1'
/** Of the outer frame: Ethernet, IPv4 and UDP without options, VXLAN. */
const INNER_AT = 14 + 20 + 8 + 8
const OUTER_SOURCE_AT = 26
const MTU = 1450
const URL = `http://${B.address}:8000`
const STREAM_OCTETS = 1_000_000
/** RFC 9293 section 3.1 */
const SYN = 0x02

/** What Linux hands to a device, and a network of MTU 1450 carries; IPv6 has hop-by-hop options. */
const usual = anySpec.filter(spec => spec.tags.length === 0
  && (spec.version === 4 || spec.options < 3)).map(spec => ({
  ...spec,
  extension: 60,
  ttl: Math.max(2, spec.ttl),
  // SYN and RST are never in a super-frame, and every segment has ACK.
  flags: (spec.flags | ACK) & ~0x06,
  segments: Math.max(2, spec.segments),
}))

function fits(frame: SuperFrame): boolean {
  const heads = frame.octets.length - frame.payload.length - 14
  // The kernel takes a frame that is one segment for a single one, and changes nothing in it.
  return heads + frame.size <= MTU && frame.payload.length > frame.size
}

function superFrames(): SuperFrame[] {
  const special: Partial<SuperSpec>[] = [
    {}, { version: 6 }, { protocol: UDP }, { version: 6, protocol: UDP },
    { flags: ACK | 0x89, segments: 3 }, { id: 0xfffe, sequence: 0xffffff00 },
    { size: 1, segments: 30 }, { segments: 64, size: 1000 }, { tos: 0xb9 }, { options: 10 },
    { version: 6, options: 1 }, { version: 6, options: 2, protocol: UDP },
    { fill: 'ones' }, { fill: 'zeros', protocol: UDP }, { fragment: 0 },
  ]
  const random = fc.sample(usual, { seed: SEED, numRuns: FRAMES * 2 })
  // Each is a flow of its own: what the tunnel promises of order is order within a flow.
  return [...special.map(specOf), ...random]
    .map((spec, n) => superFrame({ ...spec, sourcePort: FIRST_PORT + n }, A, B)).filter(fits)
    .slice(0, FRAMES)
}

/** The source port of TCP or UDP. */
function portOf(frame: Uint8Array): number {
  const at = shapeOf(frame)!.l4At
  return frame[at]! * 256 + frame[at + 1]!
}

/** Frames in hexadecimal, flow by flow. */
function byFlow(frames: readonly Uint8Array[]): string[] {
  return frames.toSorted((a, b) => portOf(a) - portOf(b))
    .map(frame => Buffer.from(frame).toString('hex'))
}

/** The inner frames that left one host, in the order in which the wire had them. */
function innerOf(capture: Tcpdump, source: string): Buffer[] {
  const octets = Buffer.from(source.split('.').map(Number))
  return capture.frames().filter(frame =>
    frame.subarray(OUTER_SOURCE_AT, OUTER_SOURCE_AT + 4).equals(octets))
    .map(frame => frame.subarray(INNER_AT))
    .filter(frame => frame.readUInt16BE(12) !== 0x0806 && shapeOf(frame)?.protocol !== 58)
}

lab.test('a task of ours, and a device of the kernel\'s, with the same addresses', async () => {
  await lab.createNetwork('mynet', lab.nodes)
  await lab.bareTask('node1', 'a', `mynet,ip=${A.address}`)
  await lab.runTask('node2', 'b', `mynet,ip=${B.address}`, ...streamServer(8000))
  for (const host of [...lab.nodes, 'client']) {
    await lab.out(host, 'ethtool', '-K', 'eth1', 'tso', 'off', 'gso', 'off', 'gro', 'off',
      'tx', 'off', 'rx', 'off', 'tx-udp-segmentation', 'off')
  }
  // The kernel's device stands in a namespace of its own, so that its stack is a task's.
  await lab.sh('client', `
    ip link add vx0 address ${A.mac} mtu ${MTU} type vxlan id 4097 local ${KERNELS} dev eth1 \
      dstport 4789 udpcsum tos inherit
    ip netns add tm-kernel
    ip link set vx0 netns tm-kernel
    ip -n tm-kernel link set lo up
    bridge -n tm-kernel fdb append ${B.mac} dst 192.168.56.12 dev vx0
    bridge -n tm-kernel fdb append 00:00:00:00:00:00 dst 192.168.56.12 dev vx0
    ip -n tm-kernel address add ${A.address}/24 dev vx0
    ip -n tm-kernel link set vx0 up`)
  await untilStreams(lab, 'node1/a', URL)
})

/** Send some at a time, and wait until all their segments were seen: tcpdump's buffer is small. */
async function sendSlowly(where: string, device: string, frames: readonly SuperFrame[],
  seen: () => number): Promise<void> {
  let count = seen()
  for (let first = 0; first < frames.length; first += FRAMES_AT_ONCE) {
    const some = frames.slice(first, first + FRAMES_AT_ONCE)
    count += some.reduce((sum, { payload, size }) => sum + Math.ceil(payload.length / size), 0)
    await sendOffloaded(lab, where, device, some)
    await until(`${count} segments from ${where}`, () => seen() >= count)
  }
}

lab.test('super-frames are cut into the same packets, octet for octet', async t => {
  const frames = superFrames()
  const wanted = frames.map(({ octets, size }) => segmentsOf(octets, size))
  const count = wanted.flat().length
  t.ok(frames.length === FRAMES && count > 500, `${count} segments`)
  const capture = await tcpdump(lab, 'node2', 'eth1',
    `udp dst port 4789 and (src host ${OURS} or src host ${KERNELS})`)
  const before = await lab.status('node1')
  await sendSlowly('node1/a', 'eth0', frames, () => innerOf(capture, OURS).length)
  const after = await lab.status('node1')
  await sendSlowly('client/kernel', 'vx0', frames, () => innerOf(capture, KERNELS).length)
  await capture.stop()
  const [ours = [], kernels = []] = [OURS, KERNELS].map(source => innerOf(capture, source))
  t.same(ours.map(faultOf).filter(fault => fault !== ''), [])
  t.equal(firstDifference(byFlow(ours), byFlow(kernels)), '')
  t.equal(firstDifference(byFlow(ours), byFlow(wanted.flat())), '')
  // The kernel cuts some itself, for it does not trust every device with them.
  const segmented = after.counters['frames.segmented']! - before.counters['frames.segmented']!
  t.ok(segmented > count * 0.8, `${segmented} of ${count} came to us whole`)
})

// ---- a stream ----

type Stream = {
  octets: Buffer
  /** What is in headers besides numbers, ports, sizes and times: each kind once. */
  heads: string[]
  /** Octets of payload of all packets but the last that are not the largest there is. */
  short: number
  /** How many identifications between the first and the last no packet has. */
  skippedIds: number
  faults: string[]
}

/** The one connection that began in the capture: its octets put in order by sequence number. */
function streamOf(frames: readonly Buffer[]): Stream {
  const all = frames.filter(frame => shapeOf(frame)?.protocol === TCP)
    .map(frame => ({ frame, shape: shapeOf(frame)! }))
  const syn = all.find(({ frame, shape }) => (frame[shape.l4At + 13]! & SYN) !== 0)
  if (syn === undefined) throw new Error('no connection began')
  const packets = all.filter(({ frame }) => portOf(frame) === portOf(syn.frame))
  const start = syn.frame.readUInt32BE(syn.shape.l4At + 4) + 1
  const parts = new Map<number, Buffer>()
  for (const { frame, shape } of packets) {
    const payload = frame.subarray(payloadAt(frame, shape), shape.end)
    const sequence = (frame.readUInt32BE(shape.l4At + 4) - start + 2 ** 32) % 2 ** 32
    if (payload.length > 0) parts.set(sequence, payload)
  }
  const inOrder = [...parts].sort(([a], [b]) => a - b)
  const sizes = inOrder.map(([, payload]) => payload.length)
  const ids = packets.map(({ frame }) =>
    (frame.readUInt16BE(18) - syn.frame.readUInt16BE(18) + 65_536) % 65_536)
  return {
    octets: Buffer.concat(inOrder.map(([, payload]) => payload)),
    heads: [...new Set(packets.map(({ frame, shape }) => headOf(frame, shape.l4At)))].sort(),
    short: sizes.filter(size => size < Math.max(...sizes)).length,
    skippedIds: Math.max(...ids) + 1 - packets.length,
    faults: frames.map(faultOf).filter(fault => fault !== ''),
  }
}

/** Version, TOS, fragment bits, TTL; and of TCP flags but PSH, and the kinds of its options. */
function headOf(frame: Buffer, l4At: number): string {
  const kinds: number[] = []
  const end = l4At + (frame[l4At + 12]! >> 4) * 4
  for (let at = l4At + 20; at < end; at += frame[at]! < 2 ? 1 : frame[at + 1]!) {
    kinds.push(frame[at]!)
  }
  const octets = [frame[14], frame[15], frame[20], frame[21], frame[22], frame[l4At + 13]! & ~0x08]
  return `${Buffer.from(octets as number[]).toString('hex')} ${kinds.join(',')}`
}

lab.test('a stream of TCP is on the wire as the kernel has it', async t => {
  const streams: Stream[] = []
  const folded: number[] = []
  const countFolded = () => settled('what node1 has folded', async () =>
    (await lab.status('node1')).counters['tcp.acks_folded']!)
  for (const [from, source] of [['node1/a', OURS], ['client/kernel', KERNELS]] as const) {
    if (source === KERNELS) {
      // Two at once with the same addresses would take each other's packets.
      await lab.tapmesh('node1', 'rm', '-f', 'a')
      await lab.tapmesh('node2', 'vtep', 'add', KERNELS)
    }
    await untilStreams(lab, from, URL)
    const before = await countFolded()
    const capture = await tcpdump(lab, 'node2', 'eth1', `udp dst port 4789 and src host ${source}`)
    t.equal(await uploadWhole(lab, from, URL, STREAM_OCTETS), streamHash(STREAM_OCTETS))
    // FIN is the last that comes.
    await until('the end of the connection', () => innerOf(capture, source)
      .some(frame => shapeOf(frame)?.protocol === TCP && (frame[14 + 20 + 13]! & 1) !== 0))
    await capture.stop()
    folded.push(await countFolded() - before)
    streams.push(streamOf(innerOf(capture, source)))
  }
  const [ours, kernels] = streams as [Stream, Stream]
  t.same([ours.faults, kernels.faults], [[], []])
  t.ok(ours.octets.equals(kernels.octets), `${ours.octets.length} and ${kernels.octets.length}`)
  t.ok(ours.octets.length > STREAM_OCTETS, 'a request and the stream')
  t.same(ours.heads, kernels.heads)
  // What an acknowledgment says that is folded is in the next packet: only its number is missing.
  t.same([ours.skippedIds, kernels.skippedIds], folded, 'identifications that no packet has')
  t.equal(folded[1], 0)
  t.ok(ours.short < 50 && kernels.short < 50, `${ours.short}, ${kernels.short} short ones`)
})

/** The first difference of two lists, in few words, or ''. */
function firstDifference(got: string[], expected: string[]): string {
  if (got.length !== expected.length) return `${got.length}, not ${expected.length}`
  const n = got.findIndex((frame, i) => frame !== expected[i])
  return n < 0 ? '' : `${n}: ${got[n]!.slice(0, 240)} not ${expected[n]!.slice(0, 240)}`
}
