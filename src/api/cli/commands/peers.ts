// tapmesh peers: the members of the mesh as this node sees them.
import type { Command } from 'commander'
import type { PeerView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { tableText } from '../table.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .option('--json', 'print everything as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const peers = await clientOf(command).peers()
      if (json === true) printJson(peers)
      else print(peersText(peers))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh peers')
}

function peersText(peers: PeerView[]): string {
  const heading = ['PEER', 'ADDRESS', 'STATE', 'RTT', 'TABLES', 'LAST SEEN', 'PATH MTU', 'REASON']
  return tableText(heading, peers.map(peer => [
    peer.name, peer.mesh, peer.doubtful && peer.state === 'alive' ? 'doubtful' : peer.state,
    peer.rttMs === null ? '-' : `${peer.rttMs.toFixed(2)} ms`, peer.tables,
    peer.lastSeenMsAgo === null ? '-' : `${(peer.lastSeenMsAgo / 1000).toFixed(1)} s ago`,
    peer.pathMtuOctets === null ? '-' : String(peer.pathMtuOctets), peer.reason,
  ]))
}
