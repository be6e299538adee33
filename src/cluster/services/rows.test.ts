// Keys of leases are read as they were written, and nothing else is taken for one.
import test from 'ava'
import { type Holder, leaseKey, parseLeaseKey, serviceIdOf } from './rows.ts'

const holders: Holder[] = [
  { kind: 'vip', service: 's' }, { kind: 'slot', service: 's', slot: '1' },
  { kind: 'ask', node: 'n', request: 'r' }, { kind: 'node', node: 'n' },
]
for (const holder of holders) {
  test(`lease key of a ${holder.kind}`, t => {
    t.deepEqual(parseLeaseKey(leaseKey('net', holder)), { network: 'net', holder })
  })
}

const refused = ['', 'net', 'net/vip', 'net/vip/', '/vip/s', 'net/vip/s/1', 'net/slot/s',
  'net/slot/s/1/2', 'net/ask/n', 'net/other/s', 'net/node/n/m']
for (const key of refused) {
  test(`no lease key: "${key}"`, t => t.is(parseLeaseKey(key), null))
}

test('an id follows from the name, and from nothing else', t => {
  t.regex(serviceIdOf('web'), /^[0-9a-z]{25}$/)
  t.is(serviceIdOf('web'), serviceIdOf('web'))
  t.not(serviceIdOf('web'), serviceIdOf('Web'))
})
