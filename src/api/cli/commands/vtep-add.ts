// tapmesh vtep add: where to send what no local port has, as plain flood-and-learn VXLAN.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

type Options = { network?: string; remoteChecksum?: boolean }

export function define(command: Command): void {
  command
    .argument('<address...>', 'underlay addresses of VTEPs: IP or IP:PORT')
    .option('--network <network>', 'only for this network (default: for every network)')
    .option('--remote-checksum', 'they finish inner checksums for us; only for tapmesh nodes, or '
      + 'kernel devices made with remcsumrx')
    .action(async (addresses: string[], { network, remoteChecksum }: Options) => {
      for (const address of addresses) {
        const vtep = await clientOf(command).addVtep({ address, network, remoteChecksum })
        print(vtep.address)
      }
    })
  addSocketOption(command)
  addExample(command, 'tapmesh vtep add 192.168.56.12 192.168.56.13',
    'tapmesh vtep add 192.168.56.13:8472 --network mynet')
}
