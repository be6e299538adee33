// Names as people see them: why a name is answered as it is, and which names there are.
import dnsPacket, { type Answer } from 'dns-packet'
import { tryIpv4 } from '../base/text.ts'
import { UsageError } from '../base/errors.ts'
import { lookUp, type NetworkNames } from '../cluster/services/names-index.ts'
import {
  MESSAGE_OCTETS_MAX, type Query, rcodeText, readQuery,
} from '../cluster/services/names-message.ts'
import type { Core } from './core.ts'
import type { NamedTask } from './dns-task.ts'
import type { DnsControl, DnsNameView, DnsWhySpec, DnsWhyView } from './dns-views.ts'
import type { Tasks } from './tasks.ts'

/** No answer is cut: people see all of it. */
const WAY = { isTcp: false, limitOctets: MESSAGE_OCTETS_MAX }

export function makeDnsControl(core: Core, tasks: Tasks): DnsControl {
  const { dns } = core
  const networksOf = (which: string | undefined): readonly NetworkNames[] => which === undefined
    ? dns.directory.networks() : dns.directory.askerOf(tasks.find(which)).networks
  return {
    why: async spec => {
      const networks = networksOf(spec.task)
      const task = { endpoints: networks.map(({ id }) => ({ network: id })) }
      return why(core, spec, task, networks.map(({ name }) => name))
    },
    names: which => networksOf(which).flatMap(namesIn),
  }
}

async function why({ dns }: Core, spec: DnsWhySpec, task: NamedTask, networks: string[],
): Promise<DnsWhyView> {
  const isAddress = tryIpv4(spec.name) >= 0
  const name = isAddress ? `${spec.name.split('.').reverse().join('.')}.in-addr.arpa` : spec.name
  const type = spec.type ?? (isAddress ? 'PTR' : 'A')
  const steps: string[] = []
  const beganMs = performance.now()
  const reply = await dns.namesFor(task).reply(queryOf(name, type), WAY, step => steps.push(step))
  const tookMs = performance.now() - beganMs
  const { answers = [] } = dnsPacket.decode(reply)
  const rcode = rcodeText(reply.readUInt8(3) & 0xf)
  return {
    name, type, task: spec.task ?? null, networks, steps, rcode, tookMs,
    answers: answers.map(answer => ({
      type: answer.type, data: dataText(answer),
      ttlSeconds: 'ttl' in answer ? answer.ttl ?? 0 : 0,
    })),
  }
}

function queryOf(name: string, type: NonNullable<DnsWhySpec['type']>): Query {
  const octets = dnsPacket.encode({ id: 0, flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as 'A' }] })
  const reading = readQuery(octets)
  if (reading.kind === 'query') return reading.query
  throw new UsageError(`"${name}" cannot be a name: its parts have 1 to 63 octets, and all `
    + 'together at most 253', { name })
}

function dataText(answer: Answer): string {
  if (!('data' in answer)) return ''
  const { data } = answer
  if (typeof data === 'string') return data
  if (answer.type === 'SRV') return `${answer.data.target} port ${answer.data.port}`
  return Buffer.isBuffer(data) ? data.toString('hex') : Array.isArray(data)
    ? data.map(String).join(' ') : JSON.stringify(data)
}

function namesIn(network: NetworkNames): DnsNameView[] {
  const rows = [
    ...[...network.services].map(([name, services]): [string, DnsNameView['kind']] =>
      [name, services.some(one => one.name.toLowerCase() === name) ? 'service' : 'alias']),
    // Host names are left out: they are the beginnings of ids, and in `tapmesh ps`.
    ...[...new Set([...network.tasks.values()].flat().map(task => task.name.toLowerCase()))]
      .filter(name => !network.services.has(name))
      .map((name): [string, DnsNameView['kind']] => [name, 'task']),
  ]
  return rows.sort(([a], [b]) => a < b ? -1 : 1).map(([name, kind]) => ({
    network: network.name, name, kind, addresses: [...lookUp(network, name)?.addresses ?? []],
  }))
}
