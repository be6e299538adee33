// One question to one name server outside, over UDP or TCP. The socket is for this question alone,
// so that its port is a random one, and connected, so that nobody but that server is heard and a
// refusal of its host is known at once.
import { createSocket } from 'node:dgram'
import { connect, isIP } from 'node:net'
import { readUpstream, type UpstreamReply } from '../cluster/services/names-upstream.ts'

/** A datagram may be lost: the question is sent again. */
export const RESEND_MS = 1000

export type NameServer = Readonly<{ address: string; port: number }>

export type UpstreamQuestion = Readonly<{
  octets: Buffer
  id: number
  /** The question section, as it must come back. */
  question: Buffer
  /** Something came that is not the answer. */
  onStrange: () => void
}>

/** A question under way. Whoever asks sets the time limit, and cancels. */
export type Asked = Readonly<{ reply: Promise<UpstreamReply>; cancel: () => void }>

export function askByUdp({ address, port }: NameServer, asking: UpstreamQuestion): Asked {
  const { promise: reply, resolve, reject } = Promise.withResolvers<UpstreamReply>()
  const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4')
  let resend: NodeJS.Timeout | undefined
  let isOpen = true
  const cancel = (): void => {
    if (!isOpen) return
    isOpen = false
    clearInterval(resend)
    socket.close()
    reject(new Error('not waited for'))
  }
  const send = (): void => socket.send(asking.octets)
  socket.on('error', error => {
    reject(error)
    cancel()
  })
  socket.on('message', octets => {
    const read = readUpstream(octets, asking.id, asking.question)
    if (read === null) return asking.onStrange()
    resolve(read)
    cancel()
  })
  socket.on('connect', () => {
    if (!isOpen) return
    send()
    resend = setInterval(send, RESEND_MS)
  })
  socket.connect(port, address)
  return { reply, cancel }
}

export function askByTcp({ address, port }: NameServer, asking: UpstreamQuestion): Asked {
  const { promise: reply, resolve, reject } = Promise.withResolvers<UpstreamReply>()
  const socket = connect({ host: address, port })
  const cancel = (): void => {
    socket.destroy()
    reject(new Error('not waited for'))
  }
  let heard = Buffer.alloc(0)
  socket.on('error', reject)
  socket.on('close', () => reject(new Error('the connection was closed')))
  socket.on('connect', () => socket.write(framed(asking.octets)))
  socket.on('data', (octets: Buffer) => {
    heard = Buffer.concat([heard, octets]) // at most one message and what came with it
    while (heard.length >= 2 && heard.length >= 2 + heard.readUInt16BE(0)) {
      const end = 2 + heard.readUInt16BE(0)
      const read = readUpstream(heard.subarray(2, end), asking.id, asking.question)
      heard = heard.subarray(end)
      if (read === null) {
        asking.onStrange()
        continue
      }
      resolve(read)
      return cancel()
    }
  })
  return { reply, cancel }
}

/** RFC 1035 section 4.2.2: over TCP a message follows its length. */
export function framed(octets: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(octets.length, 0)
  return Buffer.concat([length, octets])
}
