// Our node among two agents of Serf, as Debian has it: a program with its own ideas of what travels
// in memberlist's user messages, metadata and states, and that is used elsewhere.
// May run beside another test; takes long.
import t from 'tap'
import type { Test } from 'tap'
import { exec } from '../src/base/exec.ts'
import { encodeFields } from '../src/wire/memberlist/msgpack.ts'
import { GossipNet } from './lib/gossip-net.ts'
import { GossipProcess, ourMember } from './lib/gossip-process.ts'
import { lacking } from './lib/needs.ts'
import { Running } from './lib/running.ts'
import { until } from './lib/wait.ts'

const PORT = 7946
/** Of each agent's RPC, in its own namespace. */
const RPC = '127.0.0.1:7373'
const skip = lacking({ tools: ['ip', 'serf'] })
const DEATH_MS = 30_000

const KEY = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'
const NEXT_KEY = 'ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100'
const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')

/** What Serf 0.9 understands at least, at most, and speaks; it refuses members that do not. */
const DELEGATE = '2,5,4'
/** First octets of Serf's messages (messages.go). */
const LEAVE_INTENT = 0
const USER_EVENT = 3
/** Later than any clock of Serf's (LTime) in this test. */
const LATER = 1000

type SerfMember = Readonly<{
  name: string
  addr: string
  status: string
  tags: Readonly<Record<string, string>>
}>

const net = new GossipNet(3)
const agents = new Map<string, Running>()
const ours = new Set<GossipProcess>()
const at = (host: number) => `${net.address(host)}:${PORT}`
const hostOf = (agent: string) => Number(agent.slice(-1))

function startAgent(name: string, key: string): Running {
  const words = ['serf', 'agent', `-node=${name}`, `-bind=${at(hostOf(name))}`, `-rpc-addr=${RPC}`,
    '-log-level=info', ...key === '' ? [] : [`-encrypt=${base64(key)}`]]
  const agent = new Running(net.words(hostOf(name), words))
  agents.set(name, agent)
  return agent
}

function startOurs(keys: string): GossipProcess {
  const member = new GossipProcess('ours', net.words(0, ourMember({
    name: 'ours', host: net.address(0), port: PORT, keys, meta: 'web', delegate: DELEGATE,
  })))
  ours.add(member)
  return member
}

/** What an agent answers to a command of Serf. */
async function serf(agent: string, command: string, ...words: string[]): Promise<string> {
  const { code, stderr, stdout } = await exec(
    net.words(hostOf(agent), ['serf', command, `-rpc-addr=${RPC}`, ...words]))
  if (code !== 0) throw new Error(`serf ${command}: ${stdout} ${stderr}`)
  return stdout
}

async function membersOf(agent: string): Promise<SerfMember[]> {
  const { members } = JSON.parse(await serf(agent, 'members', '-format=json'))
  return members.sort((a: SerfMember, b: SerfMember) => a.name < b.name ? -1 : 1)
}

/** Waits until an agent says this of a member. */
async function said(agent: string, name: string, status: string): Promise<void> {
  await until(`${agent} says that ${name} is ${status}`, async () =>
    (await membersOf(agent)).find(member => member.name === name)?.status === status, DEATH_MS)
}

const hexOf = (type: number, fields: [string, string | number | boolean | Uint8Array][]) =>
  Buffer.concat([Uint8Array.of(type), encodeFields(fields)]).toString('hex')

const userEvent = (name: string, time: number) => hexOf(USER_EVENT, [
  ['CC', false], ['LTime', time], ['Name', name], ['Payload', Buffer.from('of ours')],
])

async function stopAll(): Promise<void> {
  await Promise.all([...agents.values()].map(agent => agent.stop('SIGKILL')))
  await Promise.all([...ours].map(member => member.kill()))
  agents.clear()
  ours.clear()
}

t.before(async () => { if (skip === false) await net.up() })
t.afterEach(stopAll)
t.teardown(async () => {
  await stopAll()
  if (skip === false) await net.down()
})

for (const [name, key] of [['in the clear', ''], ['sealed', KEY]] as const) {
  t.test(name, { skip }, async test => {
    const member = startOurs(key)
    for (const agent of ['serf1', 'serf2']) startAgent(agent, key)
    await member.ready()
    await together(test, member)
    await talk(test, member)
    if (key !== '') await rotate(test, member)
    test.equal(sum(await member.refused()), 0, 'nothing was refused')
    await fail(test, member, key === '' ? '' : NEXT_KEY)
  })
}

const sum = (values: Record<string, number>) => Object.values(values).reduce((a, b) => a + b, 0)

async function together(test: Test, member: GossipProcess): Promise<void> {
  for (const agent of ['serf1', 'serf2']) {
    await until(`${agent} answers`, () => membersOf(agent).catch(() => null))
  }
  await serf('serf1', 'join', at(0))
  await member.sees('serf1', 'alive')
  await member.ask({ do: 'join', seeds: [at(2)] })
  for (const agent of ['serf1', 'serf2']) {
    for (const name of ['ours', 'serf1', 'serf2']) await said(agent, name, 'alive')
    test.match(await membersOf(agent), [
      { name: 'ours', addr: at(0), tags: { role: 'web' } },
      { name: 'serf1', addr: at(1) },
      { name: 'serf2', addr: at(2) },
    ])
  }
  test.match(await member.members(), [
    { name: 'ours', address: at(0), state: 'alive' },
    { name: 'serf1', address: at(1), state: 'alive' },
    { name: 'serf2', address: at(2), state: 'alive' },
  ])
  await serf('serf1', 'tags', '-set', 'place=north')
  await until('the tag', async () =>
    (await member.members()).find(({ name }) => name === 'serf1')?.meta.includes('north'))
  await member.ask({ do: 'meta', text: 'database' })
  await until('our role', async () =>
    (await membersOf('serf2')).find(({ name }) => name === 'ours')?.tags['role'] === 'database')
}

async function talk(test: Test, member: GossipProcess): Promise<void> {
  await serf('serf1', 'event', 'deploy', 'version 7')
  const heard = await member.event('user', ({ hex, text }) =>
    String(hex).startsWith('03') && String(text).includes('deploy'))
  test.match(heard['text'], 'version 7')
  for (const [i, reliable] of [false, true].entries()) {
    const name = `ours${i}`
    await member.ask({ do: 'send', to: 'serf1', hex: userEvent(name, LATER + i), reliable })
    // serf1 passes it on to serf2.
    for (const agent of ['serf1', 'serf2']) {
      await until(`${agent} has the event ${name}`, () =>
        agents.get(agent)?.stdout.includes(`Received event: user-event: ${name}`))
    }
  }
}

/** Serf asks all members to change keys, and counts who did: its own two, since ours does not. */
async function rotate(test: Test, member: GossipProcess): Promise<void> {
  const change = async (word: string, key: string) => {
    const { stdout } = await exec(
      net.words(1, ['serf', 'keys', `-rpc-addr=${RPC}`, `-${word}=${base64(key)}`]))
    test.match(stdout, '2/3 nodes reported success', word)
  }
  await member.ask({ do: 'keys', all: [KEY, NEXT_KEY], primary: KEY })
  await change('install', NEXT_KEY)
  await change('use', NEXT_KEY)
  await member.ask({ do: 'keys', all: [NEXT_KEY, KEY], primary: NEXT_KEY })
  await change('remove', KEY)
  await member.ask({ do: 'keys', all: [NEXT_KEY], primary: NEXT_KEY })
  await serf('serf2', 'event', 'rotated')
  await member.event('user', ({ text }) => String(text).includes('rotated'))
  const gone = member.events.filter(({ event, state }) => event === 'member' && state !== 'alive')
  test.same(gone, [], 'nobody was taken for dead')
}

async function fail(test: Test, member: GossipProcess, key: string): Promise<void> {
  const serf2 = agents.get('serf2')
  await serf2?.stop('SIGKILL')
  await Promise.all([member.sees('serf2', 'dead', DEATH_MS), said('serf1', 'serf2', 'failed')])
  await member.kill()
  await said('serf1', 'ours', 'failed')

  const again = startOurs(key)
  await again.ready()
  await again.ask({ do: 'join', seeds: [at(1)] })
  await said('serf1', 'ours', 'alive')
  // For Serf somebody leaves who has said so in Serf's own words, too.
  const intent = hexOf(LEAVE_INTENT, [['LTime', LATER], ['Node', 'ours'], ['Prune', false]])
  await again.ask({ do: 'send', to: 'serf1', hex: intent, reliable: true })
  await said('serf1', 'ours', 'leaving')
  await serf('serf1', 'leave')
  await again.sees('serf1', 'left')
  test.equal((await again.members()).length, 1)
}
