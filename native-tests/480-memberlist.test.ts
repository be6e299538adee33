// Our node among members that are not ours: two processes of HashiCorp's memberlist, as Debian has
// it, each in a network namespace of its own. In the clear, sealed, packed and not.
// May run beside another test; takes long.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { Test } from 'tap'
import { GossipNet } from './lib/gossip-net.ts'
import {
  buildMemberlistPeer, GossipProcess, goMember, ourMember, type GossipOptions,
} from './lib/gossip-process.ts'
import { lacking } from './lib/needs.ts'
import { until } from './lib/wait.ts'

const PORT = 7946
const GO_SOURCES = '/usr/share/gocode/src/github.com/hashicorp/memberlist/memberlist.go'
const skip = lacking({ tools: ['ip', 'go'], files: [GO_SOURCES] })
/** memberlist's own processes need about 6 s at this size, and 12 s when it goes badly. */
const DEATH_MS = 30_000
const LEAVE_MS = 2500
/** More than a datagram holds, and more than the kernel takes at once. */
const LARGE_OCTETS = 300_000
const ROTATION_MESSAGES = 40

const KEY = '00112233445566778899aabbccddeeff'
const NEXT_KEY = 'ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100'

type Setting = Readonly<{ name: string; keys: string; go: GossipOptions }>
const settings: readonly Setting[] = [
  { name: 'in the clear, packed', keys: '', go: { compress: true } },
  { name: 'in the clear, not packed', keys: '', go: { compress: false } },
  { name: 'sealed, packed', keys: KEY, go: { compress: true } },
  { name: 'sealed, not packed', keys: NEXT_KEY, go: { compress: false } },
  { name: 'sealed as protocol 1 does it', keys: KEY, go: { compress: true, protocol: 1 } },
]

const net = new GossipNet(3)
const running = new Set<GossipProcess>()
const at = (host: number) => `${net.address(host)}:${PORT}`

function start(name: string, host: number, words: readonly string[]): GossipProcess {
  const member = new GossipProcess(name, net.words(host, words))
  running.add(member)
  return member
}

async function kill(member: GossipProcess): Promise<void> {
  running.delete(member)
  await member.kill()
}

/** Everybody says the same about everybody. */
async function agree(members: readonly GossipProcess[]): Promise<unknown> {
  return until('equal lists of members', async () => {
    const lists = await Promise.all(members.map(member => member.members()))
    const [first = '', ...others] = lists.map(list => JSON.stringify(list))
    const isWhole = lists.every(list => list.length === members.length)
    return isWhole && others.every(other => other === first) && lists[0]
  })
}

const sum = (values: Record<string, number>) => Object.values(values).reduce((a, b) => a + b, 0)

/** Sends `text` and waits until it is there. */
async function says(from: GossipProcess, to: GossipProcess, text: string, reliable: boolean) {
  await from.ask({ do: 'send', to: to.name, text, reliable })
  return to.event('user', event => event['text'] === text)
}

t.before(async () => { if (skip === false) await net.up() })
t.afterEach(async () => { await Promise.all([...running].map(kill)) })
t.teardown(async () => {
  await Promise.all([...running].map(kill))
  if (skip === false) await net.down()
})

for (const { go, keys, name } of settings) {
  t.test(name, { skip }, async test => {
    const program = await buildMemberlistPeer()
    const here = (host: number) => ({ host: net.address(host), port: PORT, keys })
    const ours = start('ours', 0, ourMember({ name: 'ours', meta: 'first', ...here(0) }))
    const [go1, go2] = [1, 2].map(host => start(`go${host}`, host,
      goMember(program, { name: `go${host}`, meta: `meta of go${host}`, ...go, ...here(host) })))
    if (go1 === undefined || go2 === undefined) return
    const all = [ours, go1, go2]
    await Promise.all(all.map(member => member.ready()))
    await together(test, ours, go1, go2)
    await talk(test, ours, go1, go2)
    if (keys === KEY && go['protocol'] === undefined) await rotate(test, ours, go1, go2)
    test.equal(sum(await ours.refused()), 0, 'nothing was refused')
    await part(test, ours, go1, go2)
  })
}

async function together(
  test: Test, ours: GossipProcess, go1: GossipProcess, go2: GossipProcess,
): Promise<void> {
  await go1.ask({ do: 'join', seeds: [at(0)] })
  await ours.sees('go1', 'alive')
  await ours.ask({ do: 'join', seeds: [at(2)] })
  test.match(await agree([ours, go1, go2]), [
    { name: 'go1', address: at(1), state: 'alive', meta: 'meta of go1' },
    { name: 'go2', address: at(2), state: 'alive', meta: 'meta of go2' },
    { name: 'ours', address: at(0), state: 'alive', meta: 'first' },
  ])
  await ours.ask({ do: 'meta', text: 'second' })
  await go2.ask({ do: 'meta', text: 'm'.repeat(512) })
  await until('new metadata everywhere', async () => {
    const lists = await Promise.all([ours, go1, go2].map(member => member.members()))
    return lists.every(list => list[1]?.meta.length === 512 && list[2]?.meta === 'second')
  })
}

async function talk(
  test: Test, ours: GossipProcess, go1: GossipProcess, go2: GossipProcess,
): Promise<void> {
  for (const go of [go1, go2]) {
    for (const reliable of [false, true]) {
      await says(ours, go, `U to ${go.name} ${reliable}`, reliable)
      const heard = await says(go, ours, `U from ${go.name} ${reliable}`, reliable)
      test.equal(heard['from'], go.name)
    }
    await says(ours, go, `U${'a'.repeat(1199)}`, false)
    await says(go, ours, `U${go.name}${'b'.repeat(1195)}`, false)
    await says(ours, go, `U${'c'.repeat(LARGE_OCTETS)}`, true)
    // Not the same octets over and over: a large pack, too.
    await says(go, ours, `U${randomBytes(LARGE_OCTETS).toString('base64')}`, true)
  }
}

/** New keys while both sides talk: known to all, then used by all, then the old ones are gone. */
async function rotate(
  test: Test, ours: GossipProcess, go1: GossipProcess, go2: GossipProcess,
): Promise<void> {
  const steps = [
    { all: [KEY, NEXT_KEY], primary: KEY },
    { all: [NEXT_KEY, KEY], primary: NEXT_KEY },
    { all: [NEXT_KEY], primary: NEXT_KEY },
  ]
  let sent = 0
  const sendOne = async () => {
    sent += 1
    await Promise.all([
      ours.ask({ do: 'send', to: 'go1', text: `U rotation ${sent}` }),
      go1.ask({ do: 'send', to: 'ours', text: `U rotation ${sent}` }),
    ])
  }
  for (const step of steps) {
    for (const member of [go2, ours, go1]) {
      for (let i = 0; i < ROTATION_MESSAGES; i += 1) await sendOne()
      await member.ask({ do: 'keys', ...step })
    }
  }
  await sendOne()
  for (const member of [ours, go1]) {
    await until(`all messages at ${member.name}`, () => rotated(member) === sent)
  }
  for (const reliable of [false, true]) {
    await says(ours, go2, `U under a new key ${reliable}`, reliable)
    await says(go2, ours, `U under a new key ${reliable}`, reliable)
  }
  test.equal(rotated(ours), sent, 'no message was lost')
}

function rotated({ events }: GossipProcess): number {
  const texts = events.map(({ text }) => String(text))
  return new Set(texts.filter(text => text.startsWith('U rotation '))).size
}

async function part(
  test: Test, ours: GossipProcess, go1: GossipProcess, go2: GossipProcess,
): Promise<void> {
  const doubted = [ours, go1, go2].flatMap(({ events }) =>
    events.filter(({ event, state }) => event === 'member' && state !== 'alive'))
  test.same(doubted, [], 'nobody was taken for dead')

  await go2.ask({ do: 'leave' })
  await Promise.all([ours.sees('go2', 'left'), go1.sees('go2', 'gone')])
  await kill(go2)
  await agree([ours, go1])

  await kill(go1)
  const startedMs = performance.now()
  await ours.sees('go1', 'dead', DEATH_MS)
  test.comment(`a killed memberlist is dead after ${Math.round(performance.now() - startedMs)} ms`)
  test.equal((await ours.members()).length, 1)
}

t.test('a memberlist sees our node fail, come back, and leave', { skip }, async test => {
  const program = await buildMemberlistPeer()
  const here = (host: number) => ({ host: net.address(host), port: PORT, keys: KEY })
  const startOurs = () => start('ours', 0, ourMember({ name: 'ours', ...here(0) }))
  const [go1, go2] = [1, 2].map(host =>
    start(`go${host}`, host, goMember(program, { name: `go${host}`, ...here(host) })))
  if (go1 === undefined || go2 === undefined) return
  const first = startOurs()
  await Promise.all([first, go1, go2].map(member => member.ready()))
  await first.ask({ do: 'join', seeds: [at(1)] })
  await go2.ask({ do: 'join', seeds: [at(0)] })
  await agree([first, go1, go2])

  await kill(first)
  const startedMs = performance.now()
  await Promise.all([go1, go2].map(go => go.sees('ours', 'gone', DEATH_MS)))
  test.comment(`our killed node is dead after ${Math.round(performance.now() - startedMs)} ms`)

  // It knows nothing any more, and memberlist has its death on record.
  const second = startOurs()
  await second.ready()
  await second.ask({ do: 'join', seeds: [at(2)] })
  await Promise.all([go1, go2].map(go => go.sees('ours', 'alive')))
  await agree([second, go1, go2])
  test.equal(sum(await second.refused()), 0, 'nothing was refused')

  await second.ask({ do: 'leave' })
  // Nobody can be found dead as soon as that.
  await Promise.all([go1, go2].map(go => go.sees('ours', 'gone', LEAVE_MS)))
})

t.test('a memberlist with another key stays outside, and is told of once', { skip }, async test => {
  const program = await buildMemberlistPeer()
  const here = (host: number) => ({ host: net.address(host), port: PORT })
  const ours = start('ours', 0, ourMember({ name: 'ours', ...here(0), keys: KEY }))
  const strangers = [NEXT_KEY, ''].map((keys, i) =>
    start(`go${i}`, i + 1, goMember(program, { name: `go${i}`, ...here(i + 1), keys })))
  await Promise.all([ours, ...strangers].map(member => member.ready()))
  for (const [i, reason] of ['no-key-fits', 'not-sealed'].entries()) {
    const stranger = strangers[i]!
    await test.rejects(stranger.ask({ do: 'join', seeds: [at(0)] }))
    await test.rejects(stranger.ask({ do: 'join', seeds: [at(0)] }))
    const refusals = ours.events.filter(({ event, host }) =>
      event === 'refusal' && host === net.address(i + 1))
    test.match(refusals, [{ reason }])
  }
  test.equal((await ours.members()).length, 1)
})
