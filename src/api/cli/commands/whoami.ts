// tapmesh whoami: the small web server of the examples.
import type { Command } from 'commander'
import { startWhoami } from '../../whoami.ts'
import { addExample, wholeNumber } from '../words.ts'

const PORT = 80
const PORT_MAX = 65_535

export function define(command: Command): void {
  command
    .description('Run a small web server that answers with its host name, its addresses, the '
      + 'address of who asks, and the request. /health answers 200. It runs until SIGTERM.')
    .option('--port <n>', 'TCP port on all addresses', wholeNumber('--port', 0, PORT_MAX), PORT)
    .action(async ({ port }: { port: number }) => {
      const stop = Promise.withResolvers<unknown>()
      process.once('SIGTERM', stop.resolve).once('SIGINT', stop.resolve)
      const server = await startWhoami(port)
      process.stderr.write(`whoami answers on port ${server.port}\n`)
      await stop.promise
      await server.close()
    })
  addExample(command, 'tapmesh run -d --name web --network mynet -- tapmesh whoami',
    'tapmesh exec web -- curl -s localhost')
}
