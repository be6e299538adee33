// Two networks with services and tasks, and questions as they come over the wire, for tests of
// names.
import { answerName, type Question, type Verdict } from './names-answer.ts'
import type { DirectoryNetwork, DirectoryService, DirectoryTask } from './directory.ts'
import { type NetworkNames, namesOf } from './names-index.ts'

export const DIGITS = 'yq3zung8aoumd72b4l06zwd54'

export function taskOf(name: string, address: string, isTaking = true): DirectoryTask {
  const hostname = Buffer.from(address).toString('hex').slice(-12)
  return { name, hostname, node: 'n1', slot: '1', address, mac: '02:42:0a:00:00:00', isTaking }
}

export function serviceOf(name: string, vip: string | null, tasks: readonly DirectoryTask[],
  parts: Partial<DirectoryService> = {}): DirectoryService {
  return { id: `id-${name}`, name, aliases: [], endpointMode: 'vip', vip, scheduler: 'rr',
    weights: {}, ports: [], tasks, ...parts }
}

const whoami = [
  taskOf(`whoami.1.${DIGITS}`, '10.0.4.3'), taskOf(`whoami.2.${DIGITS}`, '10.0.4.8'),
  taskOf(`whoami.3.${DIGITS}`, '10.0.4.9', false),
]
const rr = [taskOf(`rr.1.${DIGITS}`, '10.0.4.20'), taskOf(`rr.2.${DIGITS}`, '10.0.4.21')]
const late = [taskOf(`late.1.${DIGITS}`, '10.0.4.30')]
const going = [taskOf(`going.1.${DIGITS}`, '10.0.4.31', false)]
const shared = [taskOf(`shared.1.${DIGITS}`, '10.0.4.40')]

export const DEMO: DirectoryNetwork = {
  id: 'demo-id', name: 'demo',
  services: [
    serviceOf('whoami', '10.0.4.2', whoami, { aliases: ['Www'] }),
    serviceOf('rr', null, rr, { endpointMode: 'dnsrr' }),
    serviceOf('late', null, late),
    serviceOf('nobody', '10.0.4.5', []),
    serviceOf('going', '10.0.4.6', going),
    serviceOf('shared', '10.0.4.7', shared, { aliases: ['two'] }),
    serviceOf('other', '10.0.4.10', shared, { aliases: ['two'] }),
    serviceOf('both', '10.0.4.11', []),
  ],
  tasks: [...whoami, ...rr, ...late, ...going, ...shared, taskOf('db', '10.0.4.50'),
    taskOf('db', '10.0.4.51'), taskOf('rr', '10.0.4.99'), taskOf('a.b', '10.0.4.52')],
}
export const BACK: DirectoryNetwork = {
  id: 'back-id', name: 'Back.Net',
  services: [serviceOf('both', '10.0.5.2', [taskOf(`both.1.${DIGITS}`, '10.0.5.3')])],
  tasks: [taskOf(`both.1.${DIGITS}`, '10.0.5.3'), taskOf('db', '10.0.5.50')],
}
export const FAR: DirectoryNetwork = {
  id: 'far-id', name: 'far',
  services: [serviceOf('hidden', '10.0.6.2', [taskOf(`hidden.1.${DIGITS}`, '10.0.6.3')])],
  tasks: [],
}

export const DEMO_NAMES = namesOf(DEMO, '10.0.4.0/24')
export const BACK_NAMES = namesOf(BACK, '10.0.5.0/24')
export const FAR_NAMES = namesOf(FAR, '10.0.6.0/24')
export const ALL: readonly NetworkNames[] = [DEMO_NAMES, BACK_NAMES, FAR_NAMES]

/** Never swaps anything but the last with itself: the order stays. */
export const unmixed = (): number => 2 ** 32 - 1

/** As a task on both of `networks` hears it. */
export function ask(question: Question, networks = [DEMO_NAMES, BACK_NAMES]): Verdict {
  return answerName({ networks, others: () => ALL }, question, unmixed)
}
