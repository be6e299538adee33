// Published ports of services: each belongs to one service, and one that nobody named is chosen.
import { createHash } from 'node:crypto'
import { ConflictError, LimitError } from '../base/errors.ts'
import type { PublishedPort, ServiceSpec } from '../cluster/services/rows.ts'
import type { PortInput } from './service-views.ts'

/** Ports that are chosen, first and last: the range of Swarm. */
export const PORT_CHOSEN_MIN = 30_000
export const PORT_CHOSEN_MAX = 32_767
/** Keeps the row of a service below its limit. */
export const PUBLISHED_PORTS_MAX = 32

const SPAN = PORT_CHOSEN_MAX - PORT_CHOSEN_MIN + 1

type Holder = Readonly<{ id: string; spec: Pick<ServiceSpec, 'name' | 'ports'> }>

/**
 * The ports of a service, each with a published number that no other service has.
 * @param self     id of the service
 * @param services all there are
 * @param reserved "7946/tcp": what nodes need themselves
 * @throws ConflictError that names who has the port
 */
export function planPorts(
  self: string, name: string, wanted: readonly PortInput[],
  { services, reserved }: Readonly<{ services: readonly Holder[]; reserved: readonly string[] }>,
): PublishedPort[] {
  if (wanted.length > PUBLISHED_PORTS_MAX) {
    throw new LimitError(`service "${name}" publishes ${wanted.length} ports; `
      + `${PUBLISHED_PORTS_MAX} fit`)
  }
  const owners = new Map(services.filter(({ id }) => id !== self)
    .flatMap(({ spec }) => spec.ports.map(port => [keyOf(port), spec.name])))
  for (const port of wanted) {
    if (port.published === undefined) continue
    const key = keyOf(port as PublishedPort)
    if (reserved.includes(key)) {
      throw new ConflictError(`port ${key} is one by which the nodes of the cluster speak; `
        + 'choose another one', { port: key })
    }
    const owner = owners.get(key)
    if (owner === name) throw new ConflictError(`port ${key} is published twice`, { port: key })
    if (owner !== undefined) {
      throw new ConflictError(`port ${key} is published by service "${owner}" already; `
        + 'choose another one', { port: key, service: owner })
    }
    owners.set(key, name)
  }
  return wanted.map(port => {
    const published = port.published ?? choose(name, port, owners)
    owners.set(keyOf({ ...port, published }), name)
    const { protocol, mode, target, source = 'node' } = port
    return { protocol, mode, published, target, source }
  })
}

/** The search begins where the name says, so that managers who choose at once seldom meet. */
function choose(name: string, { protocol, target }: PortInput,
  owners: ReadonlyMap<string, string>): number {
  const digest = createHash('sha256').update(`port ${name} ${target} ${protocol}`).digest()
  const first = digest.readUInt32BE(0) % SPAN
  for (let n = 0; n < SPAN; n++) {
    const published = PORT_CHOSEN_MIN + (first + n) % SPAN
    if (!owners.has(keyOf({ protocol, published }))) return published
  }
  throw new LimitError(`no ${protocol} port from ${PORT_CHOSEN_MIN} to ${PORT_CHOSEN_MAX} is free; `
    + 'name a published one')
}

/** "8080/tcp" */
function keyOf({ published, protocol }: Pick<PublishedPort, 'published' | 'protocol'>): string {
  return `${published}/${protocol}`
}
