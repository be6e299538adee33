// The routes of names.
import type { DnsControl } from '../daemon/dns-views.ts'
import { dnsNames, dnsWhy } from './dns-schema.ts'
import { answer, check } from './http.ts'
import { letWait, type On } from './route.ts'

export function addDns(on: On, dns: DnsControl): void {
  on('GET', '/v1/dns/names', async ({ query, response }) => {
    answer(response, 200, dns.names(check(dnsNames, query).task))
  })
  on('GET', '/v1/dns/why', async exchange => {
    const spec = check(dnsWhy, exchange.query)
    letWait(exchange)
    answer(exchange.response, 200, await dns.why(spec))
  })
}
