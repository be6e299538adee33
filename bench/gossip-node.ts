// A member of our mesh as a process, and nothing above it: no daemon, no tables. gossip-lines.ts
// says how it is driven. Tests put it among members that are not ours.
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.ts'
import { makeRandom } from '../src/base/prng.ts'
import { formatMeshAddress, type MeshAddress } from '../src/cluster/mesh-address.ts'
import { MeshDriver } from '../src/cluster/mesh-driver.ts'
import type { MeshKeys, MeshNews } from '../src/cluster/mesh-events.ts'
import { Mesh } from '../src/cluster/mesh.ts'
import { isGone, type MemberView } from '../src/cluster/swim/members.ts'
import { NodeTransport } from '../src/cluster/transport.node.ts'
import { type GossipCommand, obeyLines, tell, tellDone } from './gossip-lines.ts'

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'ours' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '7946' },
    // In hex, the first one seals; none: in the clear.
    keys: { type: 'string', default: '' },
    label: { type: 'string', default: '' },
    meta: { type: 'string', default: '' },
    // What the program above understands at least, at most, and speaks: Serf demands 2,5,4.
    delegate: { type: 'string', default: '0,0,0' },
    'life-seconds': { type: 'string', default: '300' },
  },
})

function keysOf(digits: readonly string[], primary?: string): MeshKeys {
  const all = digits.filter(key => key !== '').map(key => Buffer.from(key, 'hex'))
  return { primary: primary === undefined ? all[0] ?? null : Buffer.from(primary, 'hex'), all }
}

function addressOf(text: string): MeshAddress {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}

const octetsOf = (text: string) => new TextEncoder().encode(text)
const textOf = (octets: Uint8Array) => new TextDecoder().decode(octets)
const viewOf = ({ address, meta, name, state }: MemberView) =>
  ({ name, address: formatMeshAddress(address), state, meta: textOf(meta) })

function tellNews(news: MeshNews): void {
  switch (news.type) {
    case 'member': return tell('member', { ...viewOf(news.member), change: news.change })
    case 'user': {
      const hex = Buffer.from(news.octets).toString('hex')
      return tell('user', { from: news.from, text: textOf(news.octets), hex })
    }
    case 'gone': return tellDone('leave')
    case 'joined': return tellDone('join')
    case 'join-failed': return tellDone('join', news.reason)
    default: return tell(news.type, news)
  }
}

const [delegateMin = 0, delegateMax = 0, delegate = 0] = values.delegate.split(',').map(Number)
const address = { host: values.host, port: Number(values.port) }
const mesh = new Mesh({
  nowMs: systemClock.nowMs(),
  random: makeRandom(randomBytes(4).readInt32LE()),
  randomOctets: randomBytes,
  name: values.name,
  address,
  epoch: Math.floor(systemClock.wallMs() / 1000),
  meta: octetsOf(values.meta),
  label: values.label,
  keys: keysOf(values.keys.split(',')),
  versions: { protocolMin: 1, protocolMax: 5, protocol: 2, delegateMin, delegateMax, delegate },
  hasKeepAlive: () => false,
})
const transport = new NodeTransport({ address })
const driver = new MeshDriver({ mesh, transport, clock: systemClock, onNews: tellNews })

/** What a command cannot do at once, `tellNews` says later. */
function obey(command: GossipCommand): boolean {
  const { all = [], hex, primary, reliable = false, seeds = [], text = '', to = '' } = command
  const octets = hex === undefined ? octetsOf(text) : Buffer.from(hex, 'hex')
  switch (command.do) {
    case 'join':
      driver.handle({ type: 'join', seeds: seeds.map(addressOf) })
      return false
    case 'leave':
      driver.handle({ type: 'leave' })
      return false
    case 'send': driver.handle({ type: 'send', to, octets, reliable }); return true
    case 'meta': driver.handle({ type: 'meta', meta: octets }); return true
    case 'keys': driver.handle({ type: 'keys', keys: keysOf(all, primary) }); return true
    case 'members':
      tell('members', { members: mesh.swim.members().filter(one => !isGone(one)).map(viewOf) })
      return true
    case 'counters':
      tell('counters', { refused: mesh.refused, mesh: mesh.counters,
        transport: transport.counters })
      return true
    default: throw new Error(`a mesh alone knows no "${command.do}"`)
  }
}

await driver.open()
tell('ready', { name: values.name, address: formatMeshAddress(address) })
obeyLines(Number(values['life-seconds']), obey)
