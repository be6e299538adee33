// tapmesh join: this machine becomes a node of a cluster.
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { UsageError } from '../../../base/errors.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

type Options = { token?: string; tokenFile?: string; advertiseAddr?: string }

export function define(command: Command): void {
  command
    .argument('<host[:port]...>', 'nodes of the cluster; one that answers is enough')
    .option('--token <token>', 'what `tapmesh join-token` prints there')
    .option('--token-file <path>', 'the token from a file, or "-" for the standard input: '
      + 'others on this machine do not see it then')
    .option('--advertise-addr <ip|dev>',
      'where the others find this node (default: the underlay address)')
    .action(async (seeds: string[], { token, tokenFile, advertiseAddr }: Options) => {
      const cluster = await clientOf(command)
        .joinCluster({ token: tokenOf(token, tokenFile), seeds, advertise: advertiseAddr })
      print(`This node joined the cluster "${cluster.name}" as a ${cluster.role}.`)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh join --token TMTKN-1-... 192.168.56.11:7946')
}

function tokenOf(token: string | undefined, path: string | undefined): string {
  if ((token === undefined) === (path === undefined)) {
    throw new UsageError('say either --token or --token-file; '
      + 'a manager prints the token with: tapmesh join-token worker')
  }
  return token ?? readFileSync(path === '-' ? 0 : path!, 'utf8').trim()
}
