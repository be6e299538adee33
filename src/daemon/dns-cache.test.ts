// What is kept of the outside, and what makes room for it.
import test from 'ava'
import type { UpstreamReply } from '../cluster/services/names-upstream.ts'
import { CACHE_ENTRIES_MAX, CACHE_REPLY_OCTETS_MAX, DnsCache } from './dns-cache.ts'

const reply = (parts: Partial<UpstreamReply> = {}): UpstreamReply => ({
  octets: Buffer.alloc(30), rcode: 0, isTruncated: false, ttlSeconds: 60, ttlPlaces: [], ...parts })

test('it is kept for its time', t => {
  const cache = new DnsCache()
  cache.keep('a', reply(), 1000)
  t.is(cache.get('a', 1000)?.ageSeconds, 0)
  t.is(cache.get('a', 60_999)?.ageSeconds, 59)
  t.is(cache.get('a', 61_000), null)
  t.is(cache.size, 0)
})

const passed: [what: string, parts: Partial<UpstreamReply>][] = [
  ['it was cut', { isTruncated: true }],
  ['it does not hold', { ttlSeconds: 0 }],
  ['it is long', { octets: Buffer.alloc(CACHE_REPLY_OCTETS_MAX + 1) }],
]
for (const [what, parts] of passed) {
  test(`not kept: ${what}`, t => {
    const cache = new DnsCache()
    cache.keep('a', reply(parts), 0)
    t.is(cache.get('a', 0), null)
  })
}

test('what was not asked for longest makes room', t => {
  const cache = new DnsCache()
  for (let n = 0; n < CACHE_ENTRIES_MAX; n++) cache.keep(`n${n}`, reply(), 0)
  t.not(cache.get('n0', 0), null)
  cache.keep('more', reply(), 0)
  t.is(cache.size, CACHE_ENTRIES_MAX)
  t.not(cache.get('n0', 0), null)
  t.is(cache.get('n1', 0), null)
})
