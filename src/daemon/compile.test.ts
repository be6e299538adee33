// What stands in a table image: networks, ports and VTEPs of this node, and what the cluster says
// of the others.
import test from 'ava'
import { formatIpv4, macOfAddress, parseIpv4 } from '../base/text.ts'
import { MEMBERS_MAX, REMOTES_MAX } from '../path/image.ts'
import type { ClusterRows, RemoteEndpoint } from './cluster-rows.ts'
import { compileRows } from './compile.ts'
import { emptyState, type NetworkRecord, type State, type VtepRecord } from './state.ts'

const NONE = { members: 0, remotes: 0, damaged: 0 }

function network(id: string, vni: number): NetworkRecord {
  return { id, name: id, createdAt: '', subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni, mtu: 1450,
    labels: {}, attachable: true, internal: false, skipped: [], lastGiven: null, scope: 'local' }
}

function stateOf(over: Partial<State> = {}): State {
  return { ...emptyState(), networks: [network('red', 4097), network('blue', 4098)], ...over }
}

function vtep(address: string, over: Partial<VtepRecord> = {}): VtepRecord {
  return { address, port: 4789, network: null, remoteChecksum: false, ...over }
}

function node(address: string, port = 4789, remoteChecksum = false) {
  return { address, port, remoteChecksum }
}

function endpoint(address: string, vtepAddress: string,
  over: Partial<RemoteEndpoint> = {}): RemoteEndpoint {
  return { network: 'red', mac: macOfAddress(parseIpv4(address)), address, vtep: vtepAddress,
    promiscuous: false, ...over }
}

function cluster(over: Partial<ClusterRows> = {}): ClusterRows {
  return { networks: new Set(['red']), members: [], endpoints: [], ...over }
}

function compile(state: State, rows?: ClusterRows) {
  return compileRows(state, new Map(), 1, rows)
}

/** "network address port", and "p" promiscuous, "c" remote checksums, "m" marks what is partial. */
function membersOf(state: State, rows?: ClusterRows): string[] {
  return compile(state, rows).members.map(member =>
    `${member.network} ${formatIpv4(member.address)} ${member.port}`
    + `${member.promiscuous === true ? ' p' : ''}${member.remoteChecksum === true ? ' c' : ''}`
    + `${member.marksPartial === true ? ' m' : ''}`)
}

test('without a cluster there is nobody else, and no network is strict', t => {
  const rows = compile(stateOf())
  t.deepEqual([rows.members, rows.remotes, rows.leftOut], [[], [], NONE])
  t.deepEqual(rows.networks.map(one => one.strict), [false, false])
})

test('networks of the cluster are strict, and no others', t => {
  const rows = compile(stateOf(), cluster({ networks: new Set(['blue', 'not here']) }))
  t.deepEqual(rows.networks.map(one => one.strict), [false, true])
})

test('an endpoint of another node is a row with its numbers', t => {
  const rows = compile(stateOf(), cluster({ networks: new Set(['blue']),
    endpoints: [endpoint('10.0.1.8', '192.168.56.12', { network: 'blue' })] }))
  t.deepEqual(rows.remotes, [{ network: 1, macHigh: 0x0242, macLow: 0x0a000108,
    address: 0x0a000108, member: 0xc0a8380c }])
})

test('endpoints of networks that this node has not, or that are its own, are nothing to it', t => {
  const rows = compile(stateOf(), cluster({ members: [node('192.168.56.12')], endpoints: [
    endpoint('10.0.1.8', '192.168.56.12', { network: 'green' }),
    endpoint('10.0.1.9', '192.168.56.12', { network: 'blue' }),
  ] }))
  t.deepEqual([rows.remotes, rows.members, rows.leftOut], [[], [], NONE])
})

test('a node is a VTEP of the networks that it has endpoints in', t => {
  t.deepEqual(membersOf(stateOf(), cluster({
    networks: new Set(['red', 'blue']),
    members: [node('192.168.56.12'), node('192.168.56.13', 4790, true), node('192.168.56.14')],
    endpoints: [
      endpoint('10.0.1.2', '192.168.56.12'), endpoint('10.0.1.3', '192.168.56.12'),
      endpoint('10.0.1.4', '192.168.56.13', { network: 'blue', promiscuous: true }),
      endpoint('10.0.1.5', '192.168.56.13', { network: 'blue' }),
      endpoint('10.0.1.6', '192.168.56.12', { network: 'blue' }),
      endpoint('10.0.1.7', '192.168.56.99'),
    ],
  })), ['0 192.168.56.12 4789 m', '1 192.168.56.13 4790 p c m', '1 192.168.56.12 4789 m'])
})

test('an endpoint of a node that is no member is a row: nobody else has its MAC', t => {
  const rows = compile(stateOf(), cluster({ endpoints: [endpoint('10.0.1.7', '192.168.56.99')] }))
  t.deepEqual([rows.remotes?.length, rows.members, rows.leftOut], [1, [], NONE])
})

test('VTEPs that were named by hand may have anybody behind them', t => {
  t.deepEqual(membersOf(stateOf({ vteps: [
    vtep('192.168.56.20'), vtep('192.168.56.21', { network: 'red', port: 4790 }),
  ] }), cluster()), [
    '0 192.168.56.21 4790 p', '0 192.168.56.20 4789 p', '1 192.168.56.20 4789 p',
  ])
})

test('a node that was also named by hand is what the cluster says, in its networks', t => {
  const vteps = [vtep('192.168.56.12', { port: 9 }), vtep('192.168.56.12', { network: 'red' })]
  t.deepEqual(membersOf(stateOf({ vteps }), cluster({ members: [node('192.168.56.12', 4791)],
    endpoints: [endpoint('10.0.1.2', '192.168.56.12')] })),
  ['1 192.168.56.12 9 p', '0 192.168.56.12 4791 m'])
})

const DAMAGED: [name: string, over: Partial<RemoteEndpoint>][] = [
  ['MAC', { mac: '02:42' }], ['MAC of a group', { mac: '03:42:0a:00:01:08' }],
  ['address', { address: '10.0.1' }], ['VTEP', { vtep: '' }],
]
for (const [name, over] of DAMAGED) {
  test(`an endpoint with a damaged ${name} is left out, and counted each time`, t => {
    const members = [node('192.168.56.12')]
    const endpoints = [endpoint('10.0.1.8', '192.168.56.12', over),
      endpoint('10.0.1.9', '192.168.56.12')]
    for (let times = 0; times < 2; times++) {
      const rows = compile(stateOf(), cluster({ members, endpoints }))
      t.deepEqual(rows.remotes?.map(row => row.address), [0x0a000109])
      t.deepEqual(rows.leftOut, { ...NONE, damaged: 1 })
    }
  })
}

test('what is more than an image holds is left out, and counted', t => {
  const first = parseIpv4('10.0.0.0')
  const count = REMOTES_MAX + 3
  const nodes = MEMBERS_MAX - 2
  const rows = compile(stateOf({ vteps: [vtep('192.168.56.20'), vtep('192.168.56.21')] }), cluster({
    members: Array.from({ length: nodes }, (_, n) => node(formatIpv4(first + n))),
    endpoints: Array.from({ length: count }, (_, n) =>
      endpoint(formatIpv4(first + n), formatIpv4(first + n % nodes))),
  }))
  t.is(rows.remotes?.length, REMOTES_MAX)
  t.is(rows.members.length, MEMBERS_MAX)
  t.deepEqual(rows.leftOut, { members: 2, remotes: 3, damaged: 0 })
})
