// Name servers on the loopback of this machine, for tests: they answer what a function says.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import dnsPacket, { type Packet } from 'dns-packet'
import { framed, type NameServer } from './dns-upstream.ts'

export type Asked = Readonly<{ name: string; type: string; id: number; isTcp: boolean
  octets: Buffer; port: number }>
/** null: it says nothing. */
export type Says = (asked: Asked) => Packet | Buffer | null

export class FakeUpstream {
  readonly asked: Asked[] = []
  readonly #udp: Socket
  readonly #tcp: Server

  private constructor(udp: Socket, tcp: Server) {
    this.#udp = udp
    this.#tcp = tcp
  }

  static async open(says: Says): Promise<FakeUpstream> {
    const tcp = createServer()
    const udp = createSocket('udp4')
    const upstream = new FakeUpstream(udp, tcp)
    tcp.on('connection', stream => stream.on('error', () => {}).on('data', (octets: Buffer) => {
      const reply = upstream.#reply(octets.subarray(2), true, 0, says)
      if (reply !== null) stream.write(framed(reply))
    }))
    tcp.listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    udp.on('message', (octets, { address, port }) => {
      const reply = upstream.#reply(octets, false, port, says)
      if (reply !== null) udp.send(reply, port, address)
    })
    udp.bind((tcp.address() as AddressInfo).port, '127.0.0.1')
    await once(udp, 'listening')
    return upstream
  }

  get server(): NameServer {
    return { address: '127.0.0.1', port: this.#udp.address().port }
  }

  close(): void {
    this.#udp.close()
    this.#tcp.close()
  }

  #reply(octets: Buffer, isTcp: boolean, port: number, says: Says): Buffer | null {
    const { id = 0, questions = [] } = dnsPacket.decode(octets)
    const { name, type } = questions[0]!
    const asked = { name, type, id, isTcp, octets, port }
    this.asked.push(asked)
    const said = says(asked)
    return said === null || Buffer.isBuffer(said) ? said
      : dnsPacket.encode({ type: 'response', id, questions, ...said })
  }
}

export const NXDOMAIN = 3
export const SERVFAIL = 2
export const REFUSED = 5

export const answersWith = (data: string, ttl = 60): Says => ({ name }) =>
  ({ answers: [{ name, type: 'A', ttl, data }] })
