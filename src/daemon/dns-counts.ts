// What the name servers of all tasks have done, counted; `tapmesh status` shows it as dns.NAME.

export const DNS_COUNTS = [
  /** Questions that came in, and those of them that were answered out of the directory. */
  'queries', 'own', 'own_nxdomain',
  /** Left to the host's name servers; answered from what they said before; by nobody. */
  'forwarded', 'cached', 'servfail',
  /** Answers from outside that did not fit the question, and servers that failed or were late. */
  'upstream_strange', 'upstream_failed', 'upstream_late',
  /** Refused or dropped: what could not be read, was too much, or may not leave. */
  'malformed', 'ignored', 'limited', 'forwards_full', 'task_forwards_full', 'streams_full',
  'internal',
  /** Answers that did not fit into a datagram. */
  'truncated',
  /** Sockets that could not be opened, or failed. */
  'socket_failed',
] as const

export type DnsCounts = Record<typeof DNS_COUNTS[number], number>

export function makeDnsCounts(): DnsCounts {
  return Object.fromEntries(DNS_COUNTS.map(name => [name, 0])) as DnsCounts
}

export function dnsCountsView(counts: DnsCounts): Record<string, number> {
  return Object.fromEntries(DNS_COUNTS.map(name => [`dns.${name}`, counts[name]]))
}
