// tapmesh peers: the members of the mesh as this node sees them.
import type { Command } from 'commander'
import type { PeerView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { beginning, exactly } from '../filters.ts'
import { addListOptions, type Listing, type ListOptions, printList } from '../listing.ts'
import { addExample } from '../words.ts'

const LISTING: Listing<PeerView> = {
  columns: {
    Name: { heading: 'PEER', of: ({ name }) => name },
    ID: { heading: 'ID', of: ({ id }) => id ?? '' },
    Address: { heading: 'ADDRESS', of: ({ mesh }) => mesh },
    State: { heading: 'STATE', of: stateOf },
    RTT: { heading: 'RTT', of: ({ rttMs }) => rttMs === null ? '-' : `${rttMs.toFixed(2)} ms` },
    Tables: { heading: 'TABLES', of: ({ tables }) => tables },
    LastSeen: { heading: 'LAST SEEN', of: ({ lastSeenMsAgo: ms }) =>
      ms === null ? '-' : `${(ms / 1000).toFixed(1)} s ago` },
    PathMTU: { heading: 'PATH MTU', of: ({ pathMtuOctets: mtu }) => mtu === null ? '-' : `${mtu}` },
    Reason: { heading: 'REASON', of: ({ reason }) => reason },
  },
  table: ['Name', 'Address', 'State', 'RTT', 'Tables', 'LastSeen', 'PathMTU', 'Reason'],
  filters: {
    name: beginning(({ name }) => name), id: beginning(({ id }) => id ?? ''),
    state: exactly(stateOf, ['alive', 'suspect', 'dead', 'left', 'doubtful']),
  },
}

function stateOf({ doubtful, state }: PeerView): string {
  return doubtful && state === 'alive' ? 'doubtful' : state
}

export function define(command: Command): void {
  addListOptions(command, LISTING)
  command.action(async (options: ListOptions) =>
    printList(LISTING, await clientOf(command).peers(), options))
  addSocketOption(command)
  addExample(command, 'tapmesh peers', "tapmesh peers --format '{{.Name}} {{.RTT}}'")
}
