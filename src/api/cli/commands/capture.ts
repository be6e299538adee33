// tapmesh capture: the independent witness. What really passes the underlay, seen by libpcap and
// not by our own packet path.
import type { Command } from 'commander'
import { ApiError } from '../../../base/errors.ts'
import { capture } from '../capturing.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { addExample, wholeNumber } from '../words.ts'

const COUNT_MAX = 2 ** 31
/** The UDP port of VXLAN: RFC 7348 section 5. */
const VXLAN_PORT = 4789

type Options = { interface?: string; write?: string; count?: number }

export function define(command: Command): void {
  command
    .description('Show VXLAN packets of the underlay as they pass: outer addresses, VNI, inner '
      + 'frame. Needs root. Ctrl-C ends it.')
    .argument('[filter...]', 'pcap-filter(7) expression (default: "udp port 4789")')
    .option('-i, --interface <device>', 'device (default: the underlay of the daemon)')
    .option('-w, --write <file>', 'write packets to a pcap file, or with "-" to stdout')
    .option('-c, --count <n>', 'end after this many packets', wholeNumber('--count', 1, COUNT_MAX))
    .action(async (words: string[], options: Options) => {
      const { device, port } = await underlayOf(command, options.interface)
      const filter = words.length === 0 ? `udp port ${port}` : words.join(' ')
      const packetsMax = options.count ?? Infinity
      await capture({ device, filter, port, file: options.write, packetsMax })
    })
  addSocketOption(command)
  addExample(command, 'tapmesh capture -c 8', 'tapmesh capture host 192.168.56.12 and udp',
    'tapmesh capture -w - | tshark -r -')
}

/** A named device can be watched without a daemon. */
async function underlayOf(command: Command, named: string | undefined) {
  try {
    const { underlay } = await clientOf(command).status()
    return { device: named ?? underlay.device, port: underlay.port }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (named !== undefined) return { device: named, port: VXLAN_PORT }
    throw new ApiError(`${error.message}, or name the device with -i`, error.facts, error)
  }
}
