// Sockets of the mesh on the loopback: what others do wrong costs a time limit and a count.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MeshAddress } from './mesh-address.ts'
import { sealStream, StreamReader } from './mesh-stream.ts'
import { NodeTransport, type NodeTransportOptions } from './transport.node.ts'
import { HELD_OF_SOURCE_OCTETS_MAX, STREAMS_MAX, type ReadMessage } from './transport.ts'

const HOST = '127.0.0.1'
const TERMS = { label: '', keys: [] }
const DEADLINE_MS = 10_000

type Heard = {
  datagrams: { from: MeshAddress; octets: Uint8Array }[]
  streams: { id: number; read: ReadMessage }[]
  exchanged: { id: number; read: ReadMessage | null; reason: string }[]
}

async function open(t: ExecutionContext, options: Partial<NodeTransportOptions> = {}):
Promise<{ transport: NodeTransport; heard: Heard }> {
  const transport = new NodeTransport({ address: { host: HOST, port: 0 }, ...options })
  const heard: Heard = { datagrams: [], streams: [], exchanged: [] }
  await transport.open({
    datagram: (from, octets) => { heard.datagrams.push({ from, octets }) },
    reader: side => new StreamReader({ ...TERMS, side }),
    stream: (id, _, read) => { heard.streams.push({ id, read }) },
    exchanged: (id, read, reason) => { heard.exchanged.push({ id, read, reason }) },
  })
  t.teardown(() => transport.close())
  return { transport, heard }
}

async function until(holds: () => boolean): Promise<boolean> {
  const endMs = performance.now() + DEADLINE_MS
  while (!holds() && performance.now() < endMs) await sleep(2)
  return holds()
}

function stream(octets: number, side: 'caller' | 'answerer'): Uint8Array {
  return sealStream({ type: 'user', octets: new Uint8Array(octets) }, {
    label: '', key: null, compress: false, random: length => new Uint8Array(length), side,
  })
}

async function connect(t: ExecutionContext, { port }: MeshAddress): Promise<Socket> {
  const socket = createConnection({ host: HOST, port })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

test('datagrams and exchanges get there, also large ones', async t => {
  const a = await open(t)
  const b = await open(t)
  a.transport.send(b.transport.address, Uint8Array.of(1, 2, 3))
  t.true(await until(() => b.heard.datagrams.length === 1))
  t.deepEqual(b.heard.datagrams[0]?.from, a.transport.address)
  t.deepEqual([...b.heard.datagrams[0]!.octets], [1, 2, 3])

  const octets = stream(3_000_000, 'caller')
  a.transport.exchange({
    id: 5, to: b.transport.address, octets, awaitsAnswer: true, timeoutMs: DEADLINE_MS,
  })
  t.true(await until(() => b.heard.streams.length === 1))
  const [{ id, read }] = b.heard.streams as [{ id: number; read: ReadMessage }]
  t.is('message' in read && read.message.type === 'user' && read.message.octets.length, 3_000_000)
  b.transport.answer(id, stream(2_000_000, 'answerer'))
  t.true(await until(() => a.heard.exchanged.length === 1))
  t.like(a.heard.exchanged[0], { id: 5, reason: '' })

  a.transport.exchange({
    id: 6, to: b.transport.address, octets, awaitsAnswer: false, timeoutMs: DEADLINE_MS,
  })
  t.true(await until(() => b.heard.streams.length === 2))
  b.transport.answer(b.heard.streams[1]!.id, null)
  t.true(await until(() => a.heard.exchanged.length === 2))
  t.deepEqual(a.heard.exchanged[1], { id: 6, read: null, reason: '' })
})

test('an exchange that gets nowhere ends in time and says why', async t => {
  const a = await open(t)
  const b = await open(t)
  const to = b.transport.address
  const octets = stream(1, 'caller')
  a.transport.exchange({ id: 1, to, octets, awaitsAnswer: true, timeoutMs: 50 })
  t.true(await until(() => a.heard.exchanged.length === 1))
  t.is(a.heard.exchanged[0]?.reason, 'no answer within 50 ms')
  a.transport.exchange({ id: 2, to, octets, awaitsAnswer: true, timeoutMs: DEADLINE_MS })
  t.true(await until(() => b.heard.streams.length === 2))
  b.transport.answer(b.heard.streams[1]!.id, null)
  t.true(await until(() => a.heard.exchanged.length === 2))
  t.like(a.heard.exchanged[1]?.read, { fault: 'empty' })
  await b.transport.close()
  a.transport.exchange({ id: 3, to, octets, awaitsAnswer: true, timeoutMs: DEADLINE_MS })
  t.true(await until(() => a.heard.exchanged.length === 3))
  t.regex(a.heard.exchanged[2]?.reason ?? '', /ECONNREFUSED/)
  t.is(a.transport.counters.exchangesFailed, 2)
})

test('who connects and says nothing, or too little, is sent away in time', async t => {
  const { heard, transport } = await open(t, { streamTimeoutMs: 100 })
  const silent = await connect(t, transport.address)
  const slow = await connect(t, transport.address)
  slow.write(stream(1000, 'caller').subarray(0, 500))
  await Promise.all([once(silent, 'close'), once(slow, 'close')])
  t.is(transport.counters.streamsTimedOut, 2)
  t.true(heard.streams.every(({ read }) => 'fault' in read))
})

test('garbage and half messages are faults that are handed on', async t => {
  const { heard, transport } = await open(t)
  const garbage = await connect(t, transport.address)
  garbage.write(Uint8Array.of(0xff, 1, 2))
  const half = await connect(t, transport.address)
  half.end(stream(1000, 'caller').subarray(0, 500))
  t.true(await until(() => heard.streams.length === 2))
  t.true(heard.streams.every(({ read }) => 'fault' in read))
  for (const { id } of heard.streams) transport.answer(id, null)
  t.true(await until(() => garbage.closed && half.closed))
})

test('more streams than the limit are closed at once', async t => {
  const { transport } = await open(t)
  const sockets = await Promise.all(Array.from({ length: STREAMS_MAX }, () =>
    connect(t, transport.address)))
  t.true(await until(() => transport.counters.streamsIn === STREAMS_MAX))
  const more = await connect(t, transport.address)
  if (!more.closed) await once(more, 'close')
  t.is(transport.counters.streamsFull, 1)
  sockets[0]!.destroy()
  const endMs = performance.now() + DEADLINE_MS
  while (transport.counters.streamsIn === STREAMS_MAX && performance.now() < endMs) {
    await connect(t, transport.address)
  }
  t.true(transport.counters.streamsIn > STREAMS_MAX, 'there is room again')
})

test('one address makes us hold no more than one whole message', async t => {
  const { heard, transport } = await open(t)
  const octets = stream(HELD_OF_SOURCE_OCTETS_MAX * 3 / 4, 'caller')
  const first = await connect(t, transport.address)
  first.write(octets.subarray(0, -1))
  t.true(await until(() => first.writableLength === 0))
  const second = await connect(t, transport.address)
  second.write(octets.subarray(0, -1))
  t.true(await until(() => first.closed || second.closed))
  t.is(transport.counters.streamsHeldFull, 1)
  const left = first.closed ? second : first
  left.write(octets.subarray(-1))
  t.true(await until(() => heard.streams.some(({ read }) => 'message' in read)),
    'the other one is heard')
})

test('a connection that begins with TLS is given away whole, or closed', async t => {
  const heard: Buffer[] = []
  const { transport } = await open(t, {
    streamTimeoutMs: 100,
    onTls: socket => {
      socket.on('data', octets => { heard.push(octets) })
      socket.resume()
    },
  })
  const socket = await connect(t, transport.address)
  socket.write(Uint8Array.of(0x16, 3, 1))
  t.true(await until(() => Buffer.concat(heard).length === 3))
  await sleep(200)
  socket.write(Uint8Array.of(9))
  t.true(await until(() => Buffer.concat(heard).length === 4), 'our time limit is not its')
  t.deepEqual([...Buffer.concat(heard)], [0x16, 3, 1, 9])

  const without = await open(t)
  const refused = await connect(t, without.transport.address)
  refused.write(Uint8Array.of(0x16))
  await once(refused, 'close')
  t.is(without.transport.counters.streamsGivenAway, 1)
})

test('an address that is taken is an error, and nothing stays open', async t => {
  const { transport } = await open(t)
  const second = new NodeTransport({ address: transport.address })
  await t.throwsAsync(second.open({
    datagram: () => {}, reader: side => new StreamReader({ ...TERMS, side }), stream: () => {},
    exchanged: () => {},
  }), { code: 'EADDRINUSE' })
})

test('what cannot be sent is counted', async t => {
  const { transport } = await open(t)
  transport.send({ host: '127.0.0.1', port: 9 }, new Uint8Array(70_000))
  t.true(await until(() => transport.counters.datagramsFailed === 1))
  await transport.close()
  transport.send({ host: '127.0.0.1', port: 9 }, new Uint8Array(1))
  t.is(transport.counters.datagramsOut, 1)
})
