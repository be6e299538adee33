// Table images against plain Maps, at their limits and with colliding keys.
import test from 'ava'
import { makeRandom, pick, type Random32 } from '../base/prng.ts'
import { hash3 } from './hash.ts'
import {
  buildImage, INDEX_SEED, MEMBERS_MAX, MEMBER_ADDRESS, MEMBER_NETWORK, MEMBER_PORT,
  MEMBER_MARKS_PARTIAL, MEMBER_PROMISCUOUS, NETWORK_FIRST_MEMBER, NETWORK_FIRST_PORT,
  NETWORK_LEARNED_MAX, NETWORK_MEMBERS, NETWORK_MTU, NETWORK_PORTS, NETWORK_STRICT, NETWORK_VNI,
  NETWORKS_MAX, NOWHERE, PORT_ADDRESS, PORT_FD, PORT_ID, PORT_LINK_LOCAL, PORT_MAC_HIGH,
  PORT_MAC_LOW, PORT_NETWORK, PORT_PROMISCUOUS, PORTS_MAX, REMOTES_MAX, STATION_ADDRESS,
  STATION_KEY, STATION_MAC_LOW, STATION_PLACE,
} from './image.ts'
import type { ImageRows, MemberRow, PortRow, RemoteRow } from './image-rows.ts'
import {
  findMember, findNetwork, findStation, findStationByAddress, listedSlot, makeTables, memberWord,
  networkWord, portWord, stationWord, type Tables,
} from './tables.ts'

const SEED = Number(process.env['TAPMESH_SEED'] ?? 1)
const EMPTY: ImageRows = { generation: 0, networks: [], ports: [], members: [] }

function tablesOf(rows: Partial<ImageRows>): Tables {
  return makeTables(buildImage({ ...EMPTY, ...rows }))
}

function portRow(slot: number, over: Partial<PortRow> = {}): PortRow {
  return {
    id: slot + 100, slot, fd: slot + 10, network: 0, macHigh: 0x0242, macLow: 0x0a000100 + slot,
    address: 0x0a000100 + slot, linkLocal: [0xfe800000 | 0, 0, slot, -1], promiscuous: false,
    ...over,
  }
}

function remoteRow(n: number, over: Partial<RemoteRow> = {}): RemoteRow {
  return { network: 0, macHigh: 0x0242, macLow: (0x0a010000 + n) | 0, address: (0x0a010000 + n) | 0,
    member: 0x0a000000, ...over }
}

/** Where the station with this MAC is: a slot, ~member, NOWHERE, or undefined when none has it. */
function placeByMac(tables: Tables, network: number, high: number,
  low: number): number | undefined {
  const station = findStation(tables, network, high, low)
  return station < 0 ? undefined : stationWord(tables, station, STATION_PLACE)
}

function placeByAddress(tables: Tables, network: number, address: number): number | undefined {
  const station = findStationByAddress(tables, network, address)
  return station < 0 ? undefined : stationWord(tables, station, STATION_PLACE)
}

/** Rows whose keys are taken from few values, so that many share a part of theirs. */
function randomRows(random: Random32): ImageRows {
  const networkCount = pick(random, 30)
  const vnis = new Set<number>()
  while (vnis.size < networkCount) vnis.add(1 + pick(random, 0xffffff))
  const networks = [...vnis].map(vni => ({
    vni, mtu: 1280 + pick(random, 8000), learnedMax: pick(random, 4097),
    strict: pick(random, 2) === 1,
  }))
  if (networkCount === 0) return { ...EMPTY, generation: random() | 0 }
  const members = new Map<string, MemberRow>()
  for (let n = pick(random, 200); n > 0; n--) {
    const row = {
      network: pick(random, networkCount), address: (0xc0a83800 + pick(random, 64)) | 0,
      port: 1 + pick(random, 65_535), promiscuous: pick(random, 2) === 1,
      marksPartial: pick(random, 2) === 1,
    }
    members.set(`${row.network} ${row.address}`, row)
  }
  const slots = new Set<number>()
  for (let n = pick(random, 200); n > 0; n--) slots.add(pick(random, PORTS_MAX))
  const taken = new Set<string>()
  const ports: PortRow[] = []
  for (const slot of slots) {
    const row = portRow(slot, {
      network: pick(random, networkCount), macHigh: pick(random, 3), macLow: random() | 0,
      address: (0x0a000100 + pick(random, 256)) | 0, promiscuous: pick(random, 2) === 1,
    })
    const key = `${row.network} ${row.address}`
    if (!taken.has(key)) ports.push(row)
    taken.add(key)
  }
  const remotes = Array.from({ length: pick(random, 500) }, (_, n) => remoteRow(n, {
    network: pick(random, networkCount), macHigh: pick(random, 3),
    macLow: pick(random, 3) === 0 ? pick(random, 99) : random() | 0,
    address: (0x0a000100 + pick(random, 512)) | 0, member: (0xc0a83800 + pick(random, 64)) | 0,
  }))
  return { generation: random() | 0, networks, ports, members: [...members.values()], remotes,
    seed: random() | 0 }
}

/** Who is expected at each MAC and address: the first port, else the first remote endpoint. */
function expectedPlaces(tables: Tables, rows: ImageRows): Map<string, number> {
  const places = new Map<string, number>()
  const claim = (row: PortRow | RemoteRow, place: number) => {
    const keys = [`${row.network} ${row.macHigh}:${row.macLow | 0}`,
      `${row.network} ${row.address | 0}`]
    for (const key of keys) if (!places.has(key)) places.set(key, place)
  }
  for (const port of rows.ports.toSorted((a, b) => a.network - b.network || a.slot - b.slot)) {
    claim(port, port.slot)
  }
  for (const remote of rows.remotes ?? []) {
    const member = findMember(tables, remote.network, remote.member)
    claim(remote, member < 0 ? NOWHERE : ~member)
  }
  return places
}

/** The first thing in which tables and rows differ, or '' when there is none. */
function difference(tables: Tables, rows: ImageRows): string {
  const wrong: string[] = []
  const is = (what: string, seen: unknown, wanted: unknown) => {
    if (seen !== wanted) wrong.push(`${what}: ${String(seen)}, not ${String(wanted)}`)
  }
  is('generation', tables.generation, rows.generation)
  is('networks', tables.networkCount, rows.networks.length)
  is('members', tables.memberCount, rows.members.length)
  rows.networks.forEach((network, n) => {
    const word = (which: number) => networkWord(tables, n, which)
    is('findNetwork', findNetwork(tables, network.vni), n)
    is('vni', word(NETWORK_VNI), network.vni)
    is('mtu', word(NETWORK_MTU), network.mtu)
    is('learnedMax', word(NETWORK_LEARNED_MAX), network.learnedMax)
    is('strict', word(NETWORK_STRICT), network.strict === true ? 1 : 0)
    const run = (first: number, count: number, one: (row: number) => string) =>
      Array.from({ length: word(count) }, (_, i) => one(word(first) + i)).sort().join()
    is('members of it', run(NETWORK_FIRST_MEMBER, NETWORK_MEMBERS,
      row => `${memberWord(tables, row, MEMBER_ADDRESS)}`),
    rows.members.filter(m => m.network === n).map(m => `${m.address}`).sort().join())
    is('ports of it', run(NETWORK_FIRST_PORT, NETWORK_PORTS, row => `${listedSlot(tables, row)}`),
      rows.ports.filter(p => p.network === n).map(p => `${p.slot}`).sort().join())
  })
  for (const member of rows.members) {
    const row = findMember(tables, member.network, member.address)
    is('member network', memberWord(tables, row, MEMBER_NETWORK), member.network)
    is('member address', memberWord(tables, row, MEMBER_ADDRESS), member.address)
    is('member port', memberWord(tables, row, MEMBER_PORT), member.port)
    is('promiscuous', memberWord(tables, row, MEMBER_PROMISCUOUS), member.promiscuous ? 1 : 0)
    is('marks', memberWord(tables, row, MEMBER_MARKS_PARTIAL), member.marksPartial ? 1 : 0)
  }
  for (const port of rows.ports) differentPort(tables, port, is)
  const places = expectedPlaces(tables, rows)
  for (const row of [...rows.ports, ...rows.remotes ?? []]) {
    const { network, macHigh, address } = row
    const macLow = row.macLow | 0
    is('by MAC', placeByMac(tables, network, macHigh, macLow),
      places.get(`${network} ${macHigh}:${macLow}`))
    is('by address', placeByAddress(tables, network, address | 0),
      places.get(`${network} ${address | 0}`))
    const station = findStation(tables, network, macHigh, macLow)
    is('MAC high', stationWord(tables, station, STATION_KEY), network << 16 | macHigh)
    is('MAC low', stationWord(tables, station, STATION_MAC_LOW), macLow)
    const owner = findStationByAddress(tables, network, address | 0)
    is('its address', stationWord(tables, owner, STATION_ADDRESS), address | 0)
  }
  return wrong[0] ?? ''
}

function differentPort(tables: Tables, port: PortRow,
  is: (what: string, seen: unknown, wanted: unknown) => void): void {
  const { slot } = port
  const word = (which: number) => portWord(tables, slot, which)
  is('id', word(PORT_ID), port.id)
  is('fd', word(PORT_FD), port.fd)
  is('network of port', word(PORT_NETWORK), port.network)
  is('macHigh', word(PORT_MAC_HIGH), port.macHigh)
  is('macLow', word(PORT_MAC_LOW), port.macLow)
  is('address', word(PORT_ADDRESS), port.address)
  is('promiscuous', word(PORT_PROMISCUOUS), port.promiscuous ? 1 : 0)
  port.linkLocal.forEach((part, i) => is('link-local', word(PORT_LINK_LOCAL + i), part))
}

test('random rows are found again, and what is not there is not', t => {
  const random = makeRandom(SEED)
  for (let round = 0; round < 200; round++) {
    const rows = randomRows(random)
    const tables = tablesOf(rows)
    t.is(difference(tables, rows), '', `TAPMESH_SEED=${SEED} round ${round}`)
    const keys = {
      vnis: new Set(rows.networks.map(n => n.vni)),
      members: new Set(rows.members.map(m => `${m.network} ${m.address}`)),
      macs: new Set([...rows.ports, ...rows.remotes ?? []].map(row =>
        `${row.network} ${row.macHigh} ${row.macLow}`)),
      addresses: new Set([...rows.ports, ...rows.remotes ?? []].map(row =>
        `${row.network} ${row.address}`)),
    }
    for (let i = 0; i < 200; i++) {
      const network = pick(random, 32) - 1
      const vni = pick(random, 0x1000000)
      const member = (0xc0a83800 + pick(random, 80)) | 0
      const address = (0x0a000100 + pick(random, 600)) | 0
      const low = pick(random, 2) === 0 ? pick(random, 120) : random() | 0
      const high = pick(random, 4)
      t.is(findNetwork(tables, vni) >= 0, keys.vnis.has(vni))
      t.is(findMember(tables, network, member) >= 0, keys.members.has(`${network} ${member}`))
      t.is(findStationByAddress(tables, network, address) >= 0,
        keys.addresses.has(`${network} ${address}`))
      t.is(findStation(tables, network, high, low) >= 0,
        keys.macs.has(`${network} ${high} ${low}`))
    }
  }
})

test('an empty image answers every question with no', t => {
  const tables = tablesOf({})
  t.deepEqual([tables.networkCount, tables.slotCount, tables.memberCount], [0, 0, 0])
  for (const value of [0, -1, 1, 4097, 0x7fffffff]) {
    t.is(findNetwork(tables, value), -1)
    t.is(findMember(tables, 0, value), -1)
    t.is(findStation(tables, 0, 0, value), -1)
    t.is(findStationByAddress(tables, 0, value), -1)
  }
})

test('a network without ports and members has runs of length 0', t => {
  const tables = tablesOf({ networks: [{ vni: 7, mtu: 1450, learnedMax: 1 }] })
  t.is(networkWord(tables, 0, NETWORK_PORTS), 0)
  t.is(networkWord(tables, 0, NETWORK_MEMBERS), 0)
})

test('slots between ports are empty', t => {
  const networks = [{ vni: 7, mtu: 1450, learnedMax: 1 }]
  const tables = tablesOf({ networks, ports: [portRow(5), portRow(2)] })
  t.is(tables.slotCount, 6)
  t.deepEqual([0, 1, 2, 3, 4, 5].map(slot => portWord(tables, slot, PORT_NETWORK)),
    [-1, -1, 0, -1, -1, 0])
})

test('the same address and MAC in two networks are two ports', t => {
  const networks = [7, 8].map(vni => ({ vni, mtu: 1450, learnedMax: 1 }))
  const same = { macLow: 5, address: 9 }
  const ports = [portRow(0, { ...same, network: 0 }), portRow(1, { ...same, network: 1 })]
  const tables = tablesOf({ networks, ports })
  t.deepEqual([0, 1, 2].map(n => placeByMac(tables, n, 0x0242, 5)), [0, 1, undefined])
  t.deepEqual([0, 1, 2].map(n => placeByAddress(tables, n, 9)), [0, 1, undefined])
})

test('a port goes before a remote endpoint of its MAC and address, the first before others', t => {
  const networks = [{ vni: 7, mtu: 1450, learnedMax: 1 }]
  const members = [1, 2].map(address => ({ network: 0, address, port: 4789 }))
  const same = { macHigh: 0x0242, macLow: 5, address: 9 }
  const remotes = [remoteRow(0, { ...same, member: 2 }), remoteRow(1, { ...same, member: 1 })]
  const both = tablesOf({ networks, members, remotes, ports: [portRow(3, same)] })
  t.deepEqual([placeByMac(both, 0, 0x0242, 5), placeByAddress(both, 0, 9)], [3, 3])
  const remote = tablesOf({ networks, members, remotes })
  const first = ~findMember(remote, 0, 2)
  t.deepEqual([placeByMac(remote, 0, 0x0242, 5), placeByAddress(remote, 0, 9)], [first, first])
})

test('a remote endpoint whose VTEP is no member of its network is nowhere, but given', t => {
  const networks = [7, 8].map(vni => ({ vni, mtu: 1450, learnedMax: 1 }))
  const members = [{ network: 1, address: 0x0a000000, port: 4789 }]
  const tables = tablesOf({ networks, members, remotes: [remoteRow(1)] })
  t.is(placeByMac(tables, 0, 0x0242, 0x0a010001), NOWHERE)
  t.is(placeByMac(tables, 1, 0x0242, 0x0a010001), undefined)
})

test('the largest image builds in bounded time and is right', t => {
  const networks = Array.from({ length: NETWORKS_MAX }, (_, n) => ({
    vni: 4097 + n, mtu: 1450, learnedMax: 4096,
  }))
  const members = Array.from({ length: MEMBERS_MAX }, (_, n) => ({
    network: n % NETWORKS_MAX, address: 0x0a000000 + n, port: 4789,
  }))
  const ports = Array.from({ length: PORTS_MAX }, (_, slot) => portRow(slot, {
    network: (slot * 7) % NETWORKS_MAX,
  }))
  const remotes = Array.from({ length: REMOTES_MAX }, (_, n) => remoteRow(n, {
    network: n % NETWORKS_MAX, member: 0x0a000000 + n % MEMBERS_MAX,
  }))
  const rows = { generation: 3, networks, ports, members, remotes }
  const begin = performance.now()
  const image = buildImage(rows)
  const elapsedMs = performance.now() - begin
  // It takes about 20 ms; a quadratic one takes seconds. The rest is room for a slow machine.
  t.true(elapsedMs < 1000, `${elapsedMs} ms`)
  t.true(image.byteLength < 5 << 20)
  const tables = makeTables(image)
  t.true(members.every(({ network, address }) =>
    memberWord(tables, findMember(tables, network, address), MEMBER_ADDRESS) === address))
  t.is(findMember(tables, 0, 0x0a000001), -1)
  t.true(ports.every(({ network, macHigh, macLow, slot }) =>
    placeByMac(tables, network, macHigh, macLow) === slot))
  t.true(remotes.every(({ network, macHigh, macLow, member }) =>
    placeByMac(tables, network, macHigh, macLow) === ~findMember(tables, network, member)))
  t.is(networkWord(tables, 1023, NETWORK_MEMBERS), MEMBERS_MAX / NETWORKS_MAX)
})

test('keys that all fall into one bucket are found, and a stranger there is not', t => {
  const buckets = 2048 // of the index for 1,024 networks
  const inLastBucket: number[] = []
  for (let vni = 1; inLastBucket.length <= NETWORKS_MAX; vni++) {
    if ((hash3(INDEX_SEED, vni, 0, 0) & (buckets - 1)) === buckets - 1) inLastBucket.push(vni)
  }
  const stranger = inLastBucket.pop()!
  const networks = inLastBucket.map(vni => ({ vni, mtu: 1450, learnedMax: 1 }))
  const tables = tablesOf({ networks })
  t.deepEqual(inLastBucket.map(vni => findNetwork(tables, vni)), networks.map((_, n) => n))
  t.is(findNetwork(tables, stranger), -1)
})

test('more than the limits is a mistake that shows', t => {
  const networks = Array.from({ length: NETWORKS_MAX + 1 }, (_, n) => ({
    vni: n + 1, mtu: 1450, learnedMax: 1,
  }))
  t.throws(() => buildImage({ ...EMPTY, networks }), { message: /networks fit/ })
  t.throws(() => buildImage({ ...EMPTY, ports: [portRow(PORTS_MAX)] }), { message: /ports fit/ })
  const members = Array.from({ length: MEMBERS_MAX + 1 }, (_, address) => ({
    network: 0, address, port: 4789,
  }))
  t.throws(() => buildImage({ ...EMPTY, networks: networks.slice(0, 1), members }),
    { message: /members fit/ })
  const remotes = Array.from({ length: REMOTES_MAX + 1 }, (_, n) => remoteRow(n))
  t.throws(() => buildImage({ ...EMPTY, networks: networks.slice(0, 1), remotes }),
    { message: /remote endpoints fit/ })
})
