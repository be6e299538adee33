// The join server and its desk under seeded rubbish, in a file and so a process of its own, since
// thousands of requests without a pause would hold up tests that wait for something.
import test from 'ava'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { makeRandom, pick, type Random32 } from '../../base/prng.ts'
import { makeKeyPair } from './certificates.ts'
import type { Caller } from './desk-options.ts'
import { keyRequest } from './join-answers.ts'
import { EXPORTER_LABEL, EXPORTER_OCTETS, readAnswer } from './join-messages.ts'
import {
  connectTo, joinRequest, letIn, makeCluster, makeMember, startedFor, until,
} from './join.test-kit.ts'
import { LineReader } from './line-reader.ts'

const manager = await makeCluster()
const worker = await makeMember(manager)
const keys = makeKeyPair()

const SEED = Number(process.env.TAPMESH_SEED ?? 6)
const caller: Caller = {
  source: '192.168.56.13', certificate: worker.certificate.octets, exporter: randomBytes(32),
}
const requests = [
  joinRequest(manager, keys, caller),
  { type: 'renew', ...keyRequest(keys, caller, '0.1.0'), port: 7946,
    address: '192.168.56.12' },
  { type: 'keys', protocol: 1, version: '0.1.0' },
].map(request => JSON.stringify(request))

function mutated(text: string, random: Random32): string {
  const octets = Buffer.from(text)
  switch (pick(random, 5)) {
    case 0: return text.slice(0, pick(random, text.length))
    case 1: {
      const at = pick(random, text.length)
      return text.slice(0, at) + text.slice(pick(random, text.length))
    }
    case 2: {
      const value = ['null', '1e999', '-1', '""', '[]', '{}', 'true', '"\\u0000"'][pick(random, 8)]
      return text.replace(/:("[^"]*"|\d+)/g, found => pick(random, 4) === 0 ? `:${value}` : found)
    }
    default:
      for (let flips = 1 + pick(random, 4); flips > 0; flips -= 1) {
        octets[pick(random, octets.length)] = pick(random, 256)
      }
      return octets.toString()
  }
}

test.serial(`mutated requests are answered, each with a reason (seed ${SEED})`, async t => {
  const member = await startedFor(t, manager)
  const random = makeRandom(SEED)
  const text = new Set<string>()
  for (let i = 0; i < 4000; i += 1) {
    if (i % 100 === 0) await new Promise(setImmediate)
    const line = mutated(requests[pick(random, requests.length)]!, random)
    const certificate = Uint8Array.from(worker.certificate.octets)
    if (pick(random, 2) === 0) certificate[pick(random, certificate.length)]! ^= 1
    const source = `192.168.56.${pick(random, 200)}`
    const answer = await member.desk.answer(line, { ...caller, source, certificate })
    if (readAnswer(JSON.stringify(answer)) === null) return t.fail(`${line} ${answer.type}`)
    text.add(answer.type === 'refused' ? answer.reason : answer.type)
    if (answer.type === 'refused') t.not(answer.reason, 'failed', line)
  }
  for (const kind of ['bad-request', 'bad-proof', 'wrong-cluster', 'keys']) t.true(text.has(kind))
})

test.serial(`rubbish in place of TLS is cut off, and counted (seed ${SEED})`, async t => {
  const member = await startedFor(t, manager)
  const random = makeRandom(SEED)
  const rounds = 60
  for (let i = 0; i < rounds; i += 1) {
    const octets = Uint8Array.from({ length: 6 + pick(random, 600) }, () => pick(random, 256))
    octets.set([0x16, 3, pick(random, 4)])
    const socket = connectTcp(member.target)
    socket.on('error', () => {}).end(octets)
    socket.resume()
    await once(socket, 'close')
  }
  const { counters } = member.server
  t.true(await until(() => counters.handshakesFailed + counters.timedOut >= rounds))
  t.is(counters.answered, 0)
  t.is((await letIn(manager, member.target)).through, 'node-1')
})

test.serial(`rubbish inside of TLS is refused (seed ${SEED})`, async t => {
  const member = await startedFor(t, manager)
  const random = makeRandom(SEED)
  for (let i = 0; i < 40; i += 1) {
    const socket = await connectTo(t, member)
    const exporter = socket.exportKeyingMaterial(EXPORTER_OCTETS, EXPORTER_LABEL, Buffer.alloc(0))
    const request = joinRequest(manager, keys, { exporter }, { nodeName: `n${i}` })
    const line = mutated(JSON.stringify(request), random)
    const lines = new LineReader(socket, 65_536)
    await lines.next()
    socket.end(`${line.replaceAll('\n', ' ')}\n`)
    const answer = readAnswer((await lines.next()) ?? '')
    t.true(answer?.type === 'refused' || answer?.type === 'joined', line)
  }
  t.is(member.desk.counters.failed, 0)
})
