// tapmesh as a balancer: a cluster of two nodes and a service of two tasks, made as a user makes
// them.
import { BACKENDS, type Balancer, WAYS } from './balancers.ts'
import { BACKEND, type Call, PORT } from './connect.ts'
import type { Host, Hosts } from './hosts.ts'
import { waitUntil } from './hosts.ts'
import { onBoth } from './subjects.ts'
import { startDaemon, TAPMESH, version } from './tapmesh.ts'

const VIP_TIMEOUT_MS = 15_000

export const tapmeshBalancer: Balancer = {
  name: 'tapmesh', needs: {}, ways: WAYS, backends: BACKENDS, version,
  about: 'a cluster of two nodes, a service of two tasks, scheduler `rr`, one packet worker. VIP: '
    + 'the address of the service. Ingress: its published port, on the node without a task',
  async raise(hosts, way) {
    const [one, two] = hosts
    await makeCluster(hosts)
    if (way === 'ingress') {
      await createService(one, one, '--publish', `${PORT}:${PORT}`)
      return { from: { host: one, netns: null }, address: two.address }
    }
    await one.run([TAPMESH, 'network', 'create', 'bench'])
    await one.run([TAPMESH, 'run', '-d', '--name', 'client', '--network', 'bench'])
    await createService(one, two, '--network', 'bench')
    return { from: { host: one, netns: 'tm-client' }, address: await virtualAddress(one) }
  },
}

async function makeCluster(hosts: Hosts['pair']): Promise<void> {
  const [one, two] = hosts
  await onBoth(hosts, host => startDaemon(host, 1))
  await one.run([TAPMESH, 'init'])
  const token = (await one.run([TAPMESH, 'join-token', '-q', 'worker'])).trim()
  await two.run([TAPMESH, 'join', '--token', token, one.address])
}

async function createService(manager: Host, place: Host, ...words: string[]): Promise<void> {
  await manager.run([TAPMESH, 'service', 'create', '-d', '--name', 'web', '--replicas',
    String(BACKENDS), '--constraint', `node.hostname==${place.name}`, ...words, '--', ...BACKEND])
}

/** The address is a lease, which comes a moment after the service. */
async function virtualAddress(manager: Host): Promise<Call['address']> {
  let address = ''
  await waitUntil(async () => {
    const said = await manager.run([TAPMESH, 'service', 'inspect', '--format',
      '{{json .Endpoint.VirtualIPs}}', 'web'])
    const [vip] = JSON.parse(said) as { Addr: string }[]
    address = vip?.Addr.split('/')[0] ?? ''
    return address !== ''
  }, VIP_TIMEOUT_MS, 'the virtual address of the service')
  return address
}
