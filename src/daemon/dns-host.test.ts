// The host's resolv.conf is read anew when it has changed, and is not looked at all the time.
import test from 'ava'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ManualClock } from '../base/clock.ts'
import { HOST_LOOK_MS, HostResolver } from './dns-host.ts'

test('it follows the file: written, replaced, and gone', t => {
  const folder = mkdtempSync(join(tmpdir(), 'tapmesh-host-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'resolv.conf')
  const clock = new ManualClock(0)
  const host = new HostResolver(clock, path)
  t.deepEqual(host.upstreams, [], 'there is no file')
  writeFileSync(path, 'nameserver 192.0.2.1\nsearch a.example\n')
  t.deepEqual(host.upstreams, [], 'not looked at yet')
  clock.advance(HOST_LOOK_MS)
  t.deepEqual(host.upstreams, ['192.0.2.1'])
  t.deepEqual(host.search, ['a.example'])
  const before = host.upstreams
  writeFileSync(`${path}.new`, 'nameserver 192.0.2.1\nsearch b.example\n')
  renameSync(`${path}.new`, path)
  clock.advance(HOST_LOOK_MS)
  t.deepEqual(host.search, ['b.example'])
  t.is(host.upstreams, before, 'the same servers: what they said still holds')
  writeFileSync(path, 'nameserver 127.0.0.11\nnameserver 192.0.2.2\n')
  clock.advance(HOST_LOOK_MS)
  t.deepEqual(host.upstreams, ['192.0.2.2'])
  rmSync(path)
  clock.advance(HOST_LOOK_MS)
  t.deepEqual(host.upstreams, [])
})
