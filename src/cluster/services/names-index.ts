// The names of one network, made out of the directory of this moment so that a question costs one
// look: services with their aliases, tasks with their host names, and who has which address.
import { type Cidr, parseCidr, tryIpv4 } from '../../base/text.ts'
import type { DirectoryNetwork, DirectoryService, DirectoryTask } from './directory.ts'

/** Under it a service shows the addresses of its tasks: tasks.web */
export const TASKS_PREFIX = 'tasks.'

export type NetworkNames = Readonly<{
  id: string
  name: string
  /** The name as it is asked for. */
  label: string
  subnet: Cidr
  /** By name and alias, in small letters. */
  services: ReadonlyMap<string, readonly DirectoryService[]>
  /** By name and host name, in small letters. */
  tasks: ReadonlyMap<string, readonly DirectoryTask[]>
  byAddress: ReadonlyMap<number, DirectoryTask>
}>

/** @param subnet "10.0.1.0/24" */
export function namesOf(network: DirectoryNetwork, subnet: string): NetworkNames {
  const services = new Map<string, DirectoryService[]>()
  for (const service of network.services) {
    for (const name of [service.name, ...service.aliases]) add(services, name, service)
  }
  const tasks = new Map<string, DirectoryTask[]>()
  for (const task of network.tasks) {
    for (const name of [task.name, task.hostname]) add(tasks, name, task)
  }
  return {
    id: network.id, name: network.name, label: network.name.toLowerCase(),
    subnet: parseCidr(subnet), services, tasks,
    byAddress: new Map(network.tasks.map(task => [tryIpv4(task.address), task])),
  }
}

export type Found = Readonly<{
  addresses: readonly string[]
  /** For people: what the name is, and why it has these addresses. */
  because: string
}>

/** What `name`, in small letters, means in a network; null when nothing there is called so. */
export function lookUp({ services, tasks }: NetworkNames, name: string): Found | null {
  const named = services.get(name)
  if (named !== undefined) return foundServices(named)
  if (name.startsWith(TASKS_PREFIX)) {
    const whole = services.get(name.slice(TASKS_PREFIX.length))
    if (whole !== undefined) return foundTasks(whole)
  }
  const ones = tasks.get(name)
  if (ones === undefined) return null
  return { addresses: addressesOf(ones), because: `task ${ones.map(one => one.name).join(', ')}` }
}

/** An address that stands for a service is given while somebody is behind it, and no longer. */
function foundServices(services: readonly DirectoryService[]): Found {
  const parts = services.map(service => {
    const { name, endpointMode, vip } = service
    const taking = takingOf([service])
    if (taking.length === 0) return { addresses: [], because: `service ${name}, which has no task` }
    if (vip !== null) return { addresses: [vip], because: `service ${name} by its VIP` }
    const why = endpointMode === 'dnsrr' ? 'by its tasks (dnsrr)'
      : 'by its tasks, because it has no VIP yet'
    return { addresses: addressesOf(taking), because: `service ${name} ${why}` }
  })
  return { addresses: [...new Set(parts.flatMap(part => part.addresses))],
    because: parts.map(part => part.because).join('; ') }
}

function foundTasks(services: readonly DirectoryService[]): Found {
  const taking = takingOf(services)
  const named = services.map(({ name }) => name).join(', ')
  return { addresses: addressesOf(taking), because: taking.length === 0
    ? `service ${named}, which has no task` : `the tasks of service ${named}` }
}

function takingOf(services: readonly DirectoryService[]): DirectoryTask[] {
  return services.flatMap(({ tasks }) => tasks.filter(task => task.isTaking))
}

/** The tasks of `name`, if a service is called so in the network. */
export function tasksBehind({ services }: NetworkNames, name: string): DirectoryTask[] | null {
  const named = services.get(name)
  return named === undefined ? null : takingOf(named)
}

function addressesOf(tasks: readonly DirectoryTask[]): string[] {
  return [...new Set(tasks.map(task => task.address))]
}

function add<T>(map: Map<string, T[]>, name: string, thing: T): void {
  const key = name.toLowerCase()
  const there = map.get(key)
  if (there === undefined) map.set(key, [thing])
  else if (!there.includes(thing)) there.push(thing)
}
