// --advertise-addr: the tunnels of a node begin where it says that it is to be found. Who names an
// address before the node is in a cluster has them moved there, and it stays so.
import { ConflictError, UsageError } from '../base/errors.ts'
import { tryIpv4 } from '../base/text.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import type { Core } from './core.ts'
import type { Tasks } from './tasks.ts'
import { findUnderlay } from './underlay-address.ts'

/**
 * A change, called in its turn.
 * @param wanted an address or a device of this machine
 * @throws UsageError   this machine has no such address or device
 * @throws ConflictError the configuration file says otherwise
 */
export async function advertise(core: Core, tasks: Tasks, host: Rtnetlink, wanted: string,
): Promise<void> {
  const { address, device } = core.underlay
  if (wanted === address || wanted === device) return
  const { underlay } = core.config
  if (underlay.address !== undefined || underlay.device !== undefined) {
    throw new ConflictError(`the tunnels of this daemon begin at ${address} (${device}), not at `
      + `${wanted}, because the configuration file says so; change underlay: {device: …} or `
      + '{address: …} there, restart the daemon, and say it again', { wanted, address })
  }
  const named = tryIpv4(wanted) >= 0 ? { address: wanted } : { device: wanted }
  const found = await findUnderlay(host, named).catch(() => {
    throw new UsageError(`--advertise-addr ${wanted}: this machine has no such IPv4 address, and `
      + 'no such device with one; see: ip -br address', { wanted })
  })
  await core.tunnel.move(found)
  core.state.advertise = found.address
  core.save()
  core.taps.clear() // the workers that are no more have closed them
  core.publish()
  for (const task of core.state.tasks) {
    if (task.complete && task.endpoints.length > 0) await tasks.attach(task)
  }
  core.log.info({ underlay: found.address, device: found.device, before: address },
    'the tunnels begin at another address now')
}
