// Names of a daemon that is not there, for tests of routes and of the command line.
import { NotFoundError } from '../base/errors.ts'
import type { DnsControl } from '../daemon/dns-views.ts'

export const fakeDns: DnsControl = {
  why: async ({ name, type = 'A', task }) => {
    if (task === 'none') throw new NotFoundError('there is no task "none"')
    return {
      name, type, task: task ?? null, networks: ['demo', 'back'], tookMs: 0.25,
      steps: ['network demo: "web" is service web by its VIP', 'its address is 10.0.4.2'],
      rcode: name === 'web' ? 'NOERROR' : 'NXDOMAIN',
      answers: name === 'web' ? [{ type: 'A', data: '10.0.4.2', ttlSeconds: 600 }] : [],
    }
  },
  names: task => [
    { network: 'demo', name: 'web', kind: 'service', addresses: ['10.0.4.2'] },
    { network: 'demo', name: task ?? 'db', kind: 'task', addresses: [] },
  ],
}
