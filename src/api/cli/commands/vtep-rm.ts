// tapmesh vtep rm: forgets a VTEP that was named by hand.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('<address>', 'underlay address of the VTEP, as it was added')
    .option('--network <network>', 'the network for which it was added')
    .action(async (address: string, { network }: { network?: string }) => {
      await clientOf(command).removeVtep({ address, network })
      print(address)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh vtep rm 192.168.56.12',
    'tapmesh vtep rm 192.168.56.13 --network mynet')
}
