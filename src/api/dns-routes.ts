// The routes of names.
import type { DnsControl } from '../daemon/dns-views.ts'
import { dnsNames, dnsWhy } from './dns-schema.ts'
import { answer } from './http.ts'
import { letWait, type On, withQuery } from './route.ts'

export function addDns(on: On, dns: DnsControl): void {
  on('GET', '/v1/dns/names', withQuery(dnsNames, async ({ task }, { response }) => {
    answer(response, 200, dns.names(task))
  }))
  on('GET', '/v1/dns/why', withQuery(dnsWhy, async (spec, exchange) => {
    letWait(exchange)
    answer(exchange.response, 200, await dns.why(spec))
  }))
}
