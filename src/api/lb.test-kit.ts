// Load balancing of the daemon for tests of the API: one service, two backends, one flow.
import { NotFoundError } from '../base/errors.ts'
import type { LbControl } from '../daemon/lb-views.ts'

export function makeFakeLb(asked: string[]): LbControl {
  const backend = (slot: number, address: string) => ({
    task: `web.${slot}.0123456789abcdefghijklmno`, node: `node${slot}`, address, weight: 1,
    active: slot - 1, inactive: 0,
  })
  return {
    services: () => [{ mark: 256, service: 'web', network: 'mynet', vip: '10.0.1.2',
      scheduler: 'rr', backends: [backend(1, '10.0.1.3'), backend(2, '10.0.1.4')] }],
    rules: () => [{ kind: 'vip', network: 'mynet', address: '10.0.1.2', protocols: 'tcp,udp',
      ports: 'all', mark: 256, service: 'web' }],
    flows: (service, most) => {
      asked.push(`flows ${service} ${most}`)
      if (service !== undefined && service !== 'web') {
        throw new NotFoundError(`no service named ${service}`)
      }
      return { used: 1, capacity: 262_144, flows: [{ protocol: 'tcp', service: 'web',
        network: 'mynet', mark: 256, client: '10.0.1.9:5000', vip: '10.0.1.2:80',
        backend: '10.0.1.4:80', state: 'established', idleMs: 3000 }] }
    },
  }
}
