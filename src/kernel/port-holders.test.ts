// Ports in use, out of the kernel's text; who has them, on this machine.
import test from 'ava'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { heldPorts, portsIn, programsOf } from './port-holders.ts'

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:1F91 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: broken`

test('who listens has a port; a connection has none', t => {
  t.deepEqual(portsIn(TCP, 'tcp'), [{ protocol: 'tcp', port: 8080, inode: '4711' }])
  t.deepEqual(portsIn(TCP, 'udp'), [])
  t.deepEqual(portsIn('', 'tcp'), [])
})

test('our own sockets are found, with our name', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const datagrams = createSocket('udp4')
  await new Promise<void>(resolve => datagrams.bind(0, '127.0.0.1', resolve))
  const ports = [['tcp', (server.address() as { port: number }).port],
    ['udp', datagrams.address().port]] as const
  for (const [protocol, port] of ports) {
    const found = heldPorts().find(one => one.protocol === protocol && one.port === port)
    t.truthy(found, protocol)
    const program = programsOf(new Set([found!.inode])).get(found!.inode)
    t.regex(program!, new RegExp(`\\(pid ${process.pid}\\)$`))
  }
  server.close()
  datagrams.close()
  t.is(programsOf(new Set(['1'])).size, 0)
})
