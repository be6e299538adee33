// tapmesh network create: prints the id of the new network, as Docker does.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample, collect, labelsOf, wholeNumber } from '../words.ts'

type Options = {
  driver: 'overlay'
  subnet?: string
  gateway?: string
  vni?: number
  mtu?: number
  label?: string[]
}
// The daemon says what is allowed; here is only what a number can be at all.
const NUMBER_MAX = 2 ** 32 - 1

export function define(command: Command): void {
  command
    .argument('<name>', 'name of the network')
    .option('-d, --driver <driver>', 'the only driver is "overlay"', 'overlay')
    .option('--subnet <cidr>', 'addresses (default: the next /24 from 10.0.1.0/24 that is free)')
    .option('--gateway <ip>', 'gateway address (default: the first of the subnet)')
    .option('--vni <n>', 'VXLAN network identifier, 1 to 16777215 (default: the next from 4097)',
      wholeNumber('--vni', 0, NUMBER_MAX))
    .option('--mtu <n>', 'MTU of the tasks (default: that of the underlay less 50)',
      wholeNumber('--mtu', 0, NUMBER_MAX))
    .option('--label <key=value>', 'label, any number of times', collect)
    .action(async (name: string, { driver, subnet, gateway, vni, mtu, label }: Options) => {
      const body = { name, driver, subnet, gateway, vni, mtu, labels: labelsOf(label ?? []) }
      const network = await clientOf(command).createNetwork(body)
      print(network.id)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh network create mynet',
    'tapmesh network create --subnet 10.9.0.0/24 --vni 5000 --label team=blue mynet')
}
