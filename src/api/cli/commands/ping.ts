// tapmesh ping: the way to another node, below the overlay and in the mesh.
import type { Command } from 'commander'
import type { PingView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { tableText } from '../table.ts'
import { addExample, wholeNumber } from '../words.ts'

const COUNT = 5
const COUNT_MAX = 100

export function define(command: Command): void {
  command
    .argument('<node>', 'node, by name or id')
    .option('-c, --count <n>', `how many probes of each kind (default: ${COUNT})`,
      wholeNumber('--count', 1, COUNT_MAX))
    .option('--json', 'print everything as JSON')
    .action(async (node: string, { count, json }: { count?: number; json?: boolean }) => {
      const view = await clientOf(command).pingNode(node, count ?? COUNT)
      if (json === true) printJson(view)
      else print(pingText(view))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh ping node2')
}

function pingText({ underlay, mesh, pathMtuOctets, notes }: PingView): string {
  const rows = [['underlay', underlay] as const, ['mesh', mesh] as const].map(([name, line]) =>
    line === null ? [name, '-', '-', '-', '-'] : [
      name, `${Math.round((1 - line.received / line.sent) * 100)} %`,
      ...[line.minMs, line.avgMs, line.maxMs].map(ms =>
        line.received === 0 ? '-' : `${ms.toFixed(2)} ms`),
    ])
  const table = tableText(['PATH', 'LOSS', 'MIN', 'AVG', 'MAX'], rows)
  const mtu = pathMtuOctets === null ? 'unknown' : `${pathMtuOctets} octets`
  return [table, `\nPath MTU: ${mtu}`, ...notes].join('\n')
}
