import test from 'ava'
import type { Core } from './core.ts'
import { networkMtu, setPathMtu } from './path-mtu.ts'
import { emptyState } from './state.ts'

const rows: [name: string, given: number, underlay: number, path: number | null, mtu: number][] = [
  ['paths are not known: as given', 1450, 1500, null, 1450],
  ['a path as wide as the device changes nothing', 1450, 1500, 1500, 1450],
  ['a narrow path takes 50 octets for VXLAN', 1450, 1500, 1400, 1350],
  ['a network that is narrower already keeps its MTU', 1300, 1500, 1400, 1300],
  ['one octet narrower than given', 1350, 1500, 1399, 1349],
  ['the device has shrunk since the network was made', 1450, 1400, null, 1350],
  ['the device has shrunk below what the path was', 1450, 1300, 1400, 1250],
  ['a path that is wider than the device is not believed', 1450, 1500, 9000, 1450],
  ['jumbo frames', 8950, 9000, 9000, 8950],
  ['jumbo frames at home, none on the way', 8950, 9000, 1500, 1450],
  ['the narrowest path that is useful', 1450, 1500, 626, 576],
  ['never below what IPv4 needs', 1450, 1500, 600, 576],
]
for (const [name, given, underlay, path, mtu] of rows) {
  test(`MTU of a network: ${name}`, t => t.is(networkMtu(given, underlay, path), mtu))
}

test('the same path MTU once more is neither published nor written down', async t => {
  const done: string[] = []
  const core = {
    state: emptyState(),
    sockets: { senders: [] },
    log: { info: () => done.push('log') },
    save: () => done.push('save'),
    publish: () => done.push('publish'),
    networksInUse: () => [],
  }
  const set = (octets: number | null) => setPathMtu(core as unknown as Core, octets)
  await set(null)
  t.deepEqual(done, [])
  await set(1400)
  t.deepEqual(done, ['log', 'save', 'publish'])
  await set(1400)
  t.is(done.length, 3)
  await set(null)
  t.is(core.state.pathMtu, null)
  t.is(done.length, 6)
})
