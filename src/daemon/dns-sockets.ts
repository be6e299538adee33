// The sockets at which the names of one task are asked for: 127.0.0.11 port 53, UDP and TCP, in its
// network namespace. Octets in, octets out; what is answered is decided elsewhere.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { parseIpv4 } from '../base/text.ts'
import { QUERY_OCTETS_MAX } from '../cluster/services/names-message.ts'
import { closeDescriptor } from '../kernel/descriptor.ts'
import { openBound } from '../kernel/listening.ts'
import { withNetns } from '../kernel/netns.ts'
import { framed } from './dns-upstream.ts'
import { TASK_NAME_SERVER } from './resolv-conf.ts'

export const DNS_PORT = 53
/** Connections of one task at a time, and how long one may say nothing. */
export const STREAMS_MAX = 16
export const STREAM_IDLE_MS = 10_000

/** null: nothing is answered. */
export type Answer = (octets: Buffer, isTcp: boolean) => Buffer | null | Promise<Buffer | null>

export type DnsSocketsParts = Readonly<{
  answer: Answer
  /** A connection was refused, because there are STREAMS_MAX. */
  onFull: () => void
  /** A socket cannot be used any more; all are closed. */
  onFailure: (error: Error) => void
}>

export class DnsSockets {
  readonly #udp: UdpSocket
  readonly #tcp: Server
  readonly #streams = new Set<Socket>()
  #isClosed = false

  /**
   * Open them in a task's network namespace.
   * @param netns its name, or a descriptor of it
   * @throws KernelError EADDRINUSE when a process of the task has the port
   */
  static open(netns: string | number, parts: DnsSocketsParts): DnsSockets {
    const address = parseIpv4(TASK_NAME_SERVER)
    const [udp, tcp] = withNetns(netns, () => {
      const first = openBound('udp', address, DNS_PORT)
      try {
        return [first, openBound('tcp', address, DNS_PORT)] as const
      } catch (error) {
        closeDescriptor(first)
        throw error
      }
    })
    return new DnsSockets(udp, tcp, parts)
  }

  /** Takes the descriptors over. */
  private constructor(udp: number, tcp: number, parts: DnsSocketsParts) {
    const { answer, onFailure, onFull } = parts
    const fail = (error: Error): void => {
      if (this.#isClosed) return
      this.close()
      onFailure(error)
    }
    this.#udp = createSocket({ type: 'udp4', lookup: sameAddress })
    this.#udp.on('error', fail)
    this.#udp.on('message', (octets, { address, port }) => {
      const reply = answer(octets, false)
      if (reply instanceof Promise) void reply.then(late => this.#send(late, port, address))
      else this.#send(reply, port, address)
    })
    this.#udp.bind({ fd: udp })
    this.#tcp = createServer({ allowHalfOpen: true }, stream => this.#serve(stream, answer))
    this.#tcp.maxConnections = STREAMS_MAX
    this.#tcp.on('error', fail)
    this.#tcp.on('drop', onFull)
    this.#tcp.listen({ fd: tcp }, STREAMS_MAX)
  }

  /** The namespace is free of us when this returns. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#udp.close()
    this.#tcp.close()
    for (const stream of this.#streams) stream.destroy()
  }

  #send(reply: Buffer | null, port: number, address: string): void {
    // Whoever asked may be gone; the answer is then nobody's loss.
    if (reply !== null && !this.#isClosed) this.#udp.send(reply, port, address, () => {})
  }

  #serve(stream: Socket, answer: Answer): void {
    this.#streams.add(stream)
    stream.setTimeout(STREAM_IDLE_MS, () => stream.destroy())
    stream.on('error', () => stream.destroy())
    stream.on('close', () => this.#streams.delete(stream))
    answerStream(stream, answer).then(() => stream.end(), () => stream.destroy())
  }
}

/** One question after the other: while one is answered, the next waits in the kernel. */
async function answerStream(stream: Socket, answer: Answer): Promise<void> {
  let kept = Buffer.alloc(0)
  for await (const octets of stream as AsyncIterable<Buffer>) {
    kept = Buffer.concat([kept, octets])
    while (kept.length >= 2) {
      const end = 2 + kept.readUInt16BE(0)
      if (end > 2 + QUERY_OCTETS_MAX) return
      if (kept.length < end) break
      const reply = await answer(kept.subarray(2, end), true)
      kept = kept.subarray(end)
      if (reply === null) return
      if (!stream.write(framed(reply))) {
        await Promise.race([once(stream, 'drain'), once(stream, 'close')])
      }
    }
  }
}

/** Addresses are sent to, and no names: there is nothing to look up. */
function sameAddress(address: string, _options: unknown,
  found: (error: null, address: string, family: number) => void): void {
  found(null, address, 4)
}
