// What is read out of resolv.conf files as they are found on hosts, and what a task gets.
import test from 'ava'
import { parseResolvConf, renderResolvConf, upstreamsOf } from './resolv-conf.ts'

const rows: [name: string, text: string, servers: string[], search: string[], options: string[]][] =
  [
    ['empty', '', [], [], []],
    ['one server', 'nameserver 192.0.2.1\n', ['192.0.2.1'], [], []],
    ['comments, blanks, CR', '# a\n; b\n\n  nameserver\t192.0.2.1 # c\r\nsearch a.example # d\n',
      ['192.0.2.1'], ['a.example'], []],
    ['IPv6, with its device', 'nameserver 2001:db8::1\nnameserver fe80::1%eth0',
      ['2001:db8::1', 'fe80::1%eth0'], [], []],
    ['no address', 'nameserver localhost\nnameserver 1.2.3\nnameserver\n', [], [], []],
    ['the last of search and domain', 'domain a.example\nsearch b.example c.example\n', [],
      ['b.example', 'c.example'], []],
    ['a search of the root alone', 'search .\n', [], [], []],
    ['options of several lines', 'options edns0 trust-ad\noptions timeout:1\n', [], [],
      ['edns0', 'trust-ad', 'timeout:1']],
    ['unknown words', 'sortlist 10.0.0.0\nfoo bar\nNAMESERVER 192.0.2.1', [], [], []],
  ]
for (const [name, text, nameServers, search, options] of rows) {
  test(`resolv.conf: ${name}`, t =>
    t.deepEqual(parseResolvConf(text), { nameServers, search, options }))
}

test('a task asks 127.0.0.11 alone, first the name as it stands', t => {
  t.is(renderResolvConf('nameserver 192.0.2.1\nsearch corp.example\noptions ndots:5 edns0\n'), [
    '# Written by tapmesh: names of this task\'s networks, and through them all others.',
    'nameserver 127.0.0.11', 'search corp.example', 'options ndots:0 edns0', ''].join('\n'))
  t.deepEqual(parseResolvConf(renderResolvConf('')),
    { nameServers: ['127.0.0.11'], search: [], options: ['ndots:0'] })
})

test('what a hostile file says does not become lines of a task\'s file', t => {
  const text = renderResolvConf('search a.example\u0000b nameserver\u000b192.0.2.9 \u2028x\n')
  t.deepEqual(parseResolvConf(text).nameServers, ['127.0.0.11'])
  t.deepEqual(parseResolvConf(text).search, ['nameserver', '192.0.2.9', 'x'])
})

test('upstreams: three at most, each once, and not the tasks\' own', t => {
  const servers = ['192.0.2.1', '127.0.0.11', '192.0.2.1', '192.0.2.2', '::1', '192.0.2.4']
  const { nameServers } = parseResolvConf(servers.map(one => `nameserver ${one}`).join('\n'))
  t.deepEqual(upstreamsOf({ nameServers, search: [], options: [] }),
    ['192.0.2.1', '192.0.2.2', '::1'])
})
