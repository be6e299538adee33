// tapmesh vtep add: where to send what no local port has, as plain flood-and-learn VXLAN.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<address>', 'underlay address of the VTEP: IP or IP:PORT')
    .option('--network <network>', 'only for this network (default: for every network)')
    .action(async (address: string, { network }: { network?: string }) => {
      const vtep = await clientOf(command).addVtep({ address, network })
      print(vtep.address)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh vtep add 192.168.56.12',
    'tapmesh vtep add 192.168.56.13:8472 --network mynet')
}
