// Load balancing as ipvsadm prints it.
import type { BalancedView } from '../client.ts'

const SERVICE_COLUMNS = 'Prot LocalAddress:Port Scheduler Flags'
const BACKEND_COLUMNS = '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn'

/** The words of ipvsadm's list: a service by its mark, then its real servers. */
export function balancedText(services: readonly BalancedView[]): string {
  const lines = services.flatMap(({ mark, scheduler, backends }) => [
    `FWM  ${mark} ${scheduler}`,
    ...backends.map(({ address, weight, active, inactive }) =>
      `  -> ${`${address}:0`.padEnd(28)} Masq    ${String(weight).padEnd(6)} `
      + `${String(active).padEnd(10)} ${inactive}`),
  ])
  return [SERVICE_COLUMNS, BACKEND_COLUMNS, ...lines].join('\n')
}
