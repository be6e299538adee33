// quicktun without encryption: one read, one sendto.
import { waitUntil } from '../hosts.ts'
import { firstMatch } from '../machine.ts'
import type { Subject } from '../subjects.ts'
import { moveToEndpoint, onBoth, TUNNEL_MTU } from '../subjects.ts'

const PORT = 2998
const DEVICE_TIMEOUT_MS = 5_000

export const quicktun: Subject = {
  name: 'quicktun',
  needs: { quicktun: 'quicktun' },
  version: () => firstMatch(['dpkg-query', '-W', '-f', '${Version}', 'quicktun'], /(\S+)/),
  async raise(hosts) {
    const daemons = await onBoth(hosts, (host, other) => {
      // Debian reads its settings from variables with this prefix; mode 0 is a TAP.
      const settings = {
        TUN_MODE: 0, PROTOCOL: 'raw', LOCAL_ADDRESS: host.address, REMOTE_ADDRESS: other.address,
        LOCAL_PORT: PORT, REMOTE_PORT: PORT,
      }
      const words = Object.entries(settings).map(([name, value]) => `IF_QT_${name}=${value}`)
      return host.start(['env', 'IFACE=tap0', ...words, 'quicktun'])
    })
    const ends = await onBoth(hosts, async host => {
      const there = () => host.run(['ip', 'link', 'show', 'tap0']).then(() => true, () => false)
      await waitUntil(there, DEVICE_TIMEOUT_MS, `quicktun: tap0 on ${host.name}`)
      return moveToEndpoint(host, 'tap0')
    })
    return { mtu: TUNNEL_MTU, ends, daemons }
  },
}
