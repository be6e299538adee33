// Questions and answers: what Docker's name server says of the same names, and where ours differs
// from it, because that one sends names of its own to the outside.
import test from 'ava'
import { makeRandom } from '../../base/prng.ts'
import { answerName, type Verdict } from './names-answer.ts'
import {
  TYPE_A, TYPE_AAAA, TYPE_ANY, TYPE_NS, TYPE_PTR, TYPE_SOA, TYPE_SRV,
} from './names-message.ts'
import { ALL, ask, BACK_NAMES, DEMO_NAMES, DIGITS, taskOf } from './names.test-kit.ts'

const TYPE_MX = 15
const TYPE_HTTPS = 65
const NONE = 'NXDOMAIN'
const EMPTY = ''

/** "10.0.4.2 10.0.4.3", "" for no record of this type, NXDOMAIN, or whom it is left to. */
function textOf(verdict: Verdict): string {
  if (verdict.kind === 'forward') {
    return verdict.below === null ? 'forward' : `forward below ${verdict.below}`
  }
  if (verdict.rcode === 'NXDOMAIN') return NONE
  return verdict.records.map(({ data }) =>
    typeof data === 'string' ? data : `${data.target}:${data.port}`).sort().join(' ')
}

const hostOf = (address: string): string => taskOf('', address).hostname
const rows: [what: string, name: string, type: number, answer: string][] = [
  ['D1, D8: a service is its VIP', 'whoami', TYPE_A, '10.0.4.2'],
  ['D5, D9: tasks.NAME are those that take connections', 'tasks.whoami', TYPE_A,
    '10.0.4.3 10.0.4.8'],
  ['an alias is the service', 'www', TYPE_A, '10.0.4.2'],
  ['tasks.ALIAS', 'tasks.www', TYPE_A, '10.0.4.3 10.0.4.8'],
  ['two services of one alias', 'two', TYPE_A, '10.0.4.10 10.0.4.7'],
  ['tasks of both', 'tasks.two', TYPE_A, '10.0.4.40'],
  ['NAME.NET', 'whoami.demo', TYPE_A, '10.0.4.2'],
  ['tasks.NAME.NET', 'tasks.whoami.demo', TYPE_A, '10.0.4.3 10.0.4.8'],
  ['ALIAS.NET', 'www.demo', TYPE_A, '10.0.4.2'],
  ['a network with capitals and a dot', 'both.back.net', TYPE_A, '10.0.5.2'],
  ['dnsrr: all tasks', 'rr', TYPE_A, '10.0.4.20 10.0.4.21'],
  ['a service comes before a task of that name', 'rr.demo', TYPE_A, '10.0.4.20 10.0.4.21'],
  ['no VIP yet: its tasks', 'late', TYPE_A, '10.0.4.30'],
  ['D7: scale 0 is our own NXDOMAIN', 'nobody', TYPE_A, NONE],
  ['D7: and of its tasks', 'tasks.nobody', TYPE_A, NONE],
  ['D7: for every type', 'nobody', TYPE_AAAA, NONE],
  ['D7: with the network', 'nobody.demo', TYPE_A, NONE],
  ['the last task is about to stop', 'going', TYPE_A, NONE],
  ['and has its own name until it stops', `going.1.${DIGITS}`, TYPE_A, '10.0.4.31'],
  ['a task by name', `whoami.1.${DIGITS}`, TYPE_A, '10.0.4.3'],
  ['a task by name and network', `whoami.1.${DIGITS}.demo`, TYPE_A, '10.0.4.3'],
  ['a task by its host name', hostOf('10.0.4.8'), TYPE_A, '10.0.4.8'],
  ['a host name with the network', `${hostOf('10.0.4.8')}.demo`, TYPE_A, '10.0.4.8'],
  ['tasks of run on two nodes, one name', 'db', TYPE_A, '10.0.4.50 10.0.4.51'],
  ['the second network by its name', 'db.back.net', TYPE_A, '10.0.5.50'],
  ['a task whose name has a dot', 'a.b', TYPE_A, '10.0.4.52'],
  ['empty in the first network, found in the second', 'both', TYPE_A, '10.0.5.2'],
  ['empty, where the network is named', 'both.demo', TYPE_A, NONE],

  ['no IPv6 address is an answer', 'whoami', TYPE_AAAA, EMPTY],
  ['nor is there mail', 'whoami', TYPE_MX, EMPTY],
  ['nor what browsers ask for', 'whoami.demo', TYPE_HTTPS, EMPTY],
  ['anything', 'whoami', TYPE_ANY, '10.0.4.2'],
  ['AAAA of tasks', 'tasks.whoami', TYPE_AAAA, EMPTY],

  ['D9: whose address', '3.4.0.10.in-addr.arpa', TYPE_PTR, `whoami.1.${DIGITS}.demo`],
  ['whose address, in the second network', '3.5.0.10.in-addr.arpa', TYPE_PTR,
    `both.1.${DIGITS}.Back.Net`],
  ['a VIP has no PTR, as with Docker', '2.4.0.10.in-addr.arpa', TYPE_PTR, NONE],
  ['nobody has the address', '200.4.0.10.in-addr.arpa', TYPE_PTR, NONE],
  ['an address of a network that it is not on', '3.6.0.10.in-addr.arpa', TYPE_PTR, NONE],
  ['no PTR, but another type', '3.4.0.10.in-addr.arpa', TYPE_A, EMPTY],
  ['the name server itself', '11.0.0.127.in-addr.arpa', TYPE_PTR, NONE],
  ['an address outside', '8.8.8.8.in-addr.arpa', TYPE_PTR, 'forward'],
  ['no address', '3.04.0.10.in-addr.arpa', TYPE_PTR, 'forward'],
  ['part of an address', '0.10.in-addr.arpa', TYPE_SOA, 'forward'],

  ['SRV: the port of each task', '_80._tcp.rr', TYPE_SRV,
    `rr.1.${DIGITS}.demo:80 rr.2.${DIGITS}.demo:80`],
  ['SRV with the network', '_53._udp.late.demo', TYPE_SRV, `late.1.${DIGITS}.demo:53`],
  ['SRV of nobody', '_80._tcp.nobody', TYPE_SRV, NONE],
  ['SRV of a port that has a name', '_http._tcp.rr', TYPE_SRV, NONE],
  ['SRV of no port', '_65536._tcp.rr', TYPE_SRV, NONE],
  ['SRV outside', '_xmpp._tcp.example.com', TYPE_SRV, 'forward'],

  ['a name without a dot stays here', 'unknown', TYPE_A, NONE],
  ['but zones may be found by', 'com', TYPE_NS, 'forward'],
  ['the root', '', TYPE_NS, 'forward'],
  ['the outside', 'example.com', TYPE_A, 'forward'],
  ['a name of a network that it is not on', 'hidden', TYPE_A, NONE],
  ['the same, with the network', 'hidden.far', TYPE_A, NONE],
  ['tasks of it', 'tasks.hidden.far', TYPE_A, NONE],
  ['tasks of what is unknown', 'tasks.unknown', TYPE_A, NONE],
  ['a task that is gone', 'whoami.1.000000000000000000000000a', TYPE_A, NONE],
  ['in our network, or in a domain of the outside', 'go.demo', TYPE_A, 'forward below demo'],
  ['the same, of a network with a dot', 'x.back.net', TYPE_A, 'forward below net'],
  ['not of our network', 'xdemo', TYPE_A, NONE],
  ['localhost', 'localhost', TYPE_A, '127.0.0.1'],
  ['localhost by IPv6', 'a.localhost', TYPE_AAAA, '::1'],
  ['localhost has nothing else', 'localhost', TYPE_MX, EMPTY],
]
for (const [what, name, type, answer] of rows) {
  test(`"${name}" ${type}: ${what}`, t => t.is(textOf(ask({ name, type })), answer))
}

test('the networks of a task are asked in the order of its interfaces', t => {
  const both = { name: 'db', type: TYPE_A }
  t.is(textOf(ask(both, [BACK_NAMES, DEMO_NAMES])), '10.0.5.50')
  t.is(textOf(ask(both, [DEMO_NAMES, BACK_NAMES])), '10.0.4.50 10.0.4.51')
})

test('of several addresses each comes first about equally often', t => {
  const random = makeRandom(1)
  const first = new Map<string, number>()
  for (let round = 0; round < 1000; round++) {
    const verdict = answerName({ networks: [DEMO_NAMES], others: () => ALL },
      { name: 'tasks.whoami', type: TYPE_A }, random)
    if (verdict.kind !== 'ours') return t.fail()
    const address = String(verdict.records[0]!.data)
    first.set(address, (first.get(address) ?? 0) + 1)
  }
  t.deepEqual([...first.keys()].sort(), ['10.0.4.3', '10.0.4.8'])
  t.true([...first.values()].every(count => count > 400), `${[...first.values()].join(' ')}`)
})

test('an answer says step by step where it comes from', t => {
  const steps: string[] = []
  answerName({ networks: [DEMO_NAMES, BACK_NAMES], others: () => ALL },
    { name: 'both', type: TYPE_A }, makeRandom(1), step => steps.push(step))
  t.deepEqual(steps, [
    'network demo: "both" is service both, which has no task',
    'network Back.Net: "both" is service both by its VIP',
    'its address is 10.0.5.2',
  ])
})
