// A name server of the outside, for tests: it knows one name, and says what it was asked. Run as:
// name-server.ts ADDRESS. It prints "ready", and a line for each question: NAME TYPE udp|tcp.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import dnsPacket from 'dns-packet'

export const OUTSIDE_NAME = 'www.outside.example'
export const OUTSIDE_ADDRESS = '203.0.113.7'
const NXDOMAIN = 3

function replyTo(octets: Buffer, over: string): Buffer {
  const { id = 0, questions = [] } = dnsPacket.decode(octets)
  const { name, type } = questions[0]!
  process.stdout.write(`${name} ${type} ${over}\n`)
  const isKnown = name.toLowerCase() === OUTSIDE_NAME
  return dnsPacket.encode({
    type: 'response', id, questions, flags: isKnown ? 0 : NXDOMAIN,
    answers: isKnown && type === 'A' ? [{ name, type, ttl: 300, data: OUTSIDE_ADDRESS }] : [],
  })
}

if (import.meta.main) {
  const address = process.argv[2]!
  const udp = createSocket('udp4')
  udp.on('message', (octets, { address: from, port }) => {
    udp.send(replyTo(octets, 'udp'), port, from)
  })
  const tcp = createServer(stream => stream.on('error', () => {}).on('data', (octets: Buffer) => {
    const reply = replyTo(octets.subarray(2), 'tcp')
    stream.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]))
  }))
  udp.bind(53, address, () => tcp.listen(53, address, () => process.stdout.write('ready\n')))
}
