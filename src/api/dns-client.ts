// The part of the client that speaks of names.
import type { DnsNameView, DnsWhySpec, DnsWhyView } from '../daemon/dns-views.ts'
import type { Asking } from './cluster-client.ts'
import { query } from './question.ts'

export function makeDnsClient({ get }: Asking) {
  return {
    dnsNames: (task?: string) => get<DnsNameView[]>(`/v1/dns/names${query({ task })}`),
    dnsWhy: ({ name, type, task }: DnsWhySpec) =>
      get<DnsWhyView>(`/v1/dns/why${query({ name, type, task })}`),
  }
}
