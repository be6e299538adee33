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
  attachable?: boolean
  internal?: boolean
  /** Commander's name of the option --attachable=false. */
  'attachable=false'?: boolean
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
    .option('--attachable', 'tasks of `tapmesh run` may join it (this is so by default)')
    // An option with a value that may be left out would take the name of the network for it.
    .option('--attachable=false', 'only tasks of services may join it')
    .option('--internal', 'its tasks get no way out of the cluster')
    .action(async (name: string, options: Options) => {
      const { driver, subnet, gateway, vni, mtu, label, internal = false } = options
      const attachable = options['attachable=false'] !== true
      const labels = labelsOf(label ?? [])
      const body = { name, driver, subnet, gateway, vni, mtu, labels, attachable, internal }
      print((await clientOf(command).createNetwork(body)).id)
    })
  addSocketOption(command)
  addExample(command, 'tapmesh network create mynet',
    'tapmesh network create --subnet 10.9.0.0/24 --vni 5000 --label team=blue mynet')
}
