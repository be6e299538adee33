// tapmesh init: the first node of a cluster. It prints what the other machines are to say.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

type Options = { advertiseAddr?: string; cluster?: string; insecure?: boolean }

export function define(command: Command): void {
  command
    .option('--advertise-addr <ip|dev>',
      'where the others find this node (default: the underlay address)')
    .option('--cluster <name>', 'name of the cluster (default: "tapmesh")')
    .option('--insecure', 'gossip in the clear, to look at it; never on a network of others')
    .action(async ({ advertiseAddr, cluster: name, insecure }: Options) => {
      const { cluster, worker } = await clientOf(command)
        .initCluster({ advertise: advertiseAddr, name, insecure })
      print(`Cluster initialized: current node (${cluster.nodeId}) is now a manager.\n\n`
        + 'To add a worker to this cluster, run the following command:\n\n'
        + `    ${worker.command}\n\n`
        + "To add a manager to this cluster, run 'tapmesh join-token manager' and follow the "
        + 'instructions.\n')
    })
  addSocketOption(command)
  addExample(command, 'tapmesh init', 'tapmesh init --advertise-addr eth1 --cluster lab')
}
