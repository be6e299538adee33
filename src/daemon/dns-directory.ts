// The names of all networks at this moment, for whoever asks. They are made when somebody asks and
// something has changed since, so nothing is done for changes that nobody asks about.
import { parseCidr } from '../base/text.ts'
import { directoryOf, type DirectoryNetwork } from '../cluster/services/directory.ts'
import type { Asker } from '../cluster/services/names-answer.ts'
import { type NetworkNames, namesOf } from '../cluster/services/names-index.ts'
import { clusterDirectory } from './cluster-facts.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { Core } from './core.ts'
import type { NamedTask } from './dns-task.ts'
import { leadOutside } from './outside.ts'
import type { State } from './state.ts'

/** Addresses of it are given to nodes and to what is published; nothing has a name there. */
const NAMELESS_NETWORK = 'ingress'

export type DirectoryOwner = Readonly<{
  state: Pick<State, 'networks' | 'tasks'>
  link: Pick<ClusterLink, 'records'> | null
  generation: Core['generation']
}>

type Made = Readonly<{
  link: DirectoryOwner['link']
  revision: number
  generation: number
  networks: ReadonlyMap<string, Readonly<{ network: DirectoryNetwork; subnet: string }>>
  /** Filled as they are asked for. */
  names: Map<string, NetworkNames>
}>

export class NameDirectory {
  readonly #owner: DirectoryOwner
  #made: Made | null = null

  constructor(owner: DirectoryOwner) {
    this.#owner = owner
  }

  /** What the task may ask about: its networks, in the order of its interfaces. */
  askerOf(task: NamedTask): Asker {
    return {
      networks: task.endpoints.flatMap(({ network }) => this.#names(network) ?? []),
      others: () => this.networks(),
    }
  }

  /** All networks that have names, by name. */
  networks(): NetworkNames[] {
    return [...this.#current().networks.keys()].flatMap(id => this.#names(id) ?? [])
      .sort((a, b) => a.label < b.label ? -1 : 1)
  }

  /** Of a task whose networks are all internal, nothing leaves the cluster. */
  mayAskOutside(task: NamedTask): boolean {
    const { link, state } = this.#owner
    return leadOutside(task.endpoints.flatMap(({ network }) => link?.records.networks.get(network)
      ?? state.networks.find(({ id }) => id === network) ?? []))
  }

  #names(id: string): NetworkNames | null {
    const made = this.#current()
    const known = made.names.get(id)
    if (known !== undefined) return known
    const found = made.networks.get(id)
    if (found === undefined) return null
    const names = namesOf(found.network, found.subnet)
    made.names.set(id, names)
    return names
  }

  #current(): Made {
    const { generation, link } = this.#owner
    const revision = link?.records.revision ?? 0
    const made = this.#made
    if (made !== null && made.link === link && made.revision === revision
      && made.generation === generation) return made
    const networks = new Map(this.#whole().map(one => [one.network.id, one]))
    this.#made = { link, revision, generation, networks, names: new Map() }
    return this.#made
  }

  #whole(): { network: DirectoryNetwork; subnet: string }[] {
    const { link, state } = this.#owner
    const subnets = new Map<string, string>(state.networks.map(({ id, subnet }) => [id, subnet]))
    for (const [id, { subnet }] of link?.records.networks ?? []) subnets.set(id, subnet)
    const shared = link === null ? [] : clusterDirectory(link.records)
    return [...shared, ...localDirectory(state, shared)]
      .filter(({ name }) => name !== NAMELESS_NETWORK)
      .flatMap(network => {
        const subnet = subnets.get(network.id) ?? ''
        return isSubnet(subnet) ? [{ network, subnet }] : []
      })
  }
}

/** Rows come from other nodes: one that cannot be read has no names, and takes none from others. */
function isSubnet(text: string): boolean {
  try {
    parseCidr(text)
    return true
  } catch {
    return false
  }
}

/** Networks of this node alone: all that is in them is here. */
function localDirectory({ networks, tasks }: DirectoryOwner['state'],
  shared: readonly DirectoryNetwork[]): DirectoryNetwork[] {
  const known = new Set(shared.map(({ id }) => id))
  const endpoints = tasks.flatMap(task => task.endpoints.map(({ network, address, mac }) =>
    ({ node: '', network, address, mac, task: task.name, taskId: task.id })))
  return directoryOf({ networks: networks.filter(({ id }) => !known.has(id)), services: [],
    tasks: [], endpoints })
}
