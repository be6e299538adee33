// What a task hears when it asks for a name. Names of the networks that it is on are answered here,
// and so is that there is none; every other name is left to the name servers of the host. Whatever
// could be a name of ours does not go there, so that nobody outside learns it.
import { cidrHas, formatIpv4, tryIpv4 } from '../../base/text.ts'
import { pick, type Random32 } from '../../base/prng.ts'
import { lookUp, type NetworkNames, TASKS_PREFIX, tasksBehind } from './names-index.ts'
import {
  type NameRecord, TYPE_A, TYPE_AAAA, TYPE_ANY, TYPE_DNSKEY, TYPE_DS, TYPE_NS, TYPE_PTR, TYPE_SOA,
  TYPE_SRV,
} from './names-message.ts'

/** In small letters, without the dot at the end; `type` as RFC 1035 numbers them. */
export type Question = Readonly<{ name: string; type: number }>

export type Verdict =
  | Readonly<{
    kind: 'ours'
    rcode: 'NOERROR' | 'NXDOMAIN'
    records: readonly NameRecord[]
    /** Something of ours is called so, whether or not it has such a record. */
    isKnown: boolean
  }>
  /**
   * Not ours. `below`: the last label of a network of ours that the name could belong to; it is
   * sent on only if there is something of that name outside, too.
   */
  | Readonly<{ kind: 'forward'; below: string | null }>

/** Told what was looked at, for people. */
export type Note = (step: string) => void

export type Asker = Readonly<{
  /** The networks that the task is on, in the order of its interfaces. */
  networks: readonly NetworkNames[]
  /** All networks: names of those that it is not on are not its to know, nor the outside's. */
  others: () => readonly NetworkNames[]
}>

/** Types by which resolvers find their way through the tree of zones. */
const INFRASTRUCTURE_TYPES = [TYPE_NS, TYPE_SOA, TYPE_DS, TYPE_DNSKEY]
const REVERSE = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/
/** "web.1.<25 digits>": no top-level domain looks so. */
const TASK_NAME = /\.[0-9a-z]{25}$/
const SERVICE_PORT = /^_([1-9]\d{0,4})\._(?:tcp|udp)\.(.+)$/

export function answerName(asker: Asker, question: Question, random: Random32,
  note?: Note): Verdict {
  const { name, type } = question
  const special = loopback(name, type, note) ?? reverse(asker, name, type, note)
  if (special !== null) return special
  if (type === TYPE_SRV) {
    const ports = servicePorts(asker, name, random, note)
    if (ports !== null) return ports
  }
  let isOurs = false
  for (const [network, part] of placesOf(asker.networks, name)) {
    const found = lookUp(network, part)
    if (found === null) {
      note?.(`network ${network.name}: nothing is called "${part}"`)
      continue
    }
    note?.(`network ${network.name}: "${part}" is ${found.because}`)
    isOurs = true
    if (found.addresses.length > 0) return addresses(found.addresses, type, random, note)
  }
  return isOurs ? nobody('it is a name of ours, without an address', note, true)
    : unknown(asker, question, note)
}

/** Where to look: the whole name in each network, then NAME.NET for each dot that it has. */
function placesOf(networks: readonly NetworkNames[], name: string): [NetworkNames, string][] {
  return [
    ...networks.map((network): [NetworkNames, string] => [network, name]),
    ...networks.filter(({ label }) => name.endsWith(`.${label}`))
      .map((network): [NetworkNames, string] =>
        [network, name.slice(0, -(network.label.length + 1))]),
  ]
}

/** A name that none of the asker's networks has. */
function unknown({ networks, others }: Asker, { name, type }: Question, note?: Note): Verdict {
  for (const [network, part] of placesOf(others(), name)) {
    if (networks.includes(network) || lookUp(network, part) === null) continue
    return nobody(`"${part}" is a name of network ${network.name}, which the task is not on`, note,
      true)
  }
  const bare = name.replace(/^(_[^.]*\.)+/, '')
  const isSingle = name !== '' && !bare.includes('.')
  if (isSingle && !INFRASTRUCTURE_TYPES.includes(type)) {
    return nobody('a name without a dot is not sent to the host\'s name servers', note)
  }
  if (TASK_NAME.test(name) || (name.startsWith(TASKS_PREFIX) && name.split('.').length === 2)) {
    return nobody('it looks like a name of ours, and is not sent to the host\'s name servers', note)
  }
  const network = networks.find(({ label }) => name.endsWith(`.${label}`))
  const below = network === undefined ? null : network.label.slice(
    network.label.lastIndexOf('.') + 1)
  note?.(`not a name of ours: it is left to the host's name servers${below === null ? ''
    : `, if there is a domain "${below}" outside, too`}`)
  return { kind: 'forward', below }
}

function addresses(found: readonly string[], type: number, random: Random32,
  note?: Note): Verdict {
  // There is one family: that a name has no IPv6 address is an answer, and no reason to go on.
  if (type !== TYPE_A && type !== TYPE_ANY) {
    note?.('the name has addresses (A), and no record of the type that is asked for')
    return yes([])
  }
  note?.(found.length === 1 ? `its address is ${found[0]}`
    : `its ${found.length} addresses are given in random order`)
  return yes(shuffled(found, random).map((data): NameRecord => ({ type: 'A', data })))
}

function yes(records: readonly NameRecord[]): Verdict {
  return { kind: 'ours', rcode: 'NOERROR', records, isKnown: true }
}

function nobody(why: string, note?: Note, isKnown = false): Verdict {
  note?.(`${why}: NXDOMAIN`)
  return { kind: 'ours', rcode: 'NXDOMAIN', records: [], isKnown }
}

/** RFC 6761 section 6.3: the answer is known, and is nobody's business. */
function loopback(name: string, type: number, note?: Note): Verdict | null {
  if (name !== 'localhost' && !name.endsWith('.localhost')) return null
  note?.('it is the task itself: RFC 6761')
  const records: NameRecord[] = type === TYPE_A ? [{ type: 'A', data: '127.0.0.1' }]
    : type === TYPE_AAAA ? [{ type: 'AAAA', data: '::1' }] : []
  return yes(records)
}

/** PTR: whose address it is. Those of our networks, and of the task itself, are ours to tell. */
function reverse({ networks, others }: Asker, name: string, type: number,
  note?: Note): Verdict | null {
  const address = tryIpv4(REVERSE.exec(name)?.slice(1).reverse().join('.') ?? '')
  if (address < 0) return null
  const text = formatIpv4(address)
  const network = networks.find(({ subnet }) => cidrHas(subnet, address))
  const task = network?.byAddress.get(address)
  if (network !== undefined && task !== undefined) {
    note?.(`${text} is task ${task.name} in network ${network.name}`)
    return yes(type === TYPE_PTR || type === TYPE_ANY
      ? [{ type: 'PTR', data: `${task.name}.${network.name}` }] : [])
  }
  const isOurs = text.startsWith('127.') || [...networks, ...others()].some(({ subnet }) =>
    cidrHas(subnet, address))
  if (!isOurs) return null
  return nobody(`${text} is ${network === undefined ? 'the task\'s own, or of a network that it is '
    + 'not on' : `no task's address in network ${network.name}`}`, note)
}

/** "_80._tcp.web": the tasks of a service, with the port that was asked for. */
function servicePorts({ networks }: Asker, name: string, random: Random32,
  note?: Note): Verdict | null {
  const [, digits = '', service = ''] = SERVICE_PORT.exec(name) ?? []
  const port = Number(digits)
  if (service === '' || port > 65_535) return null
  for (const [network, part] of placesOf(networks, service)) {
    const tasks = tasksBehind(network, part)
    if (tasks === null || tasks.length === 0) continue
    note?.(`network ${network.name}: port ${port} of each task of service ${part}`)
    return yes(shuffled(tasks, random).map((task): NameRecord =>
      ({ type: 'SRV', data: { port, target: `${task.name}.${network.name}` } })))
  }
  return null
}

function shuffled<T>(things: readonly T[], random: Random32): T[] {
  const order = [...things]
  for (let last = order.length - 1; last > 0; last--) {
    const other = pick(random, last + 1)
    const kept = order[last]!
    order[last] = order[other]!
    order[other] = kept
  }
  return order
}
