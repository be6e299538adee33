// ICMP echo with DF on the real kernel: two hosts and a router between them.
import { createRequire } from 'node:module'
import t from 'tap'
import type { Test } from 'tap'
import { exec } from '../src/base/exec.ts'
import { parseIpv4 } from '../src/base/text.ts'
import { type Echo, type EchoFailure, openEcho } from '../src/kernel/echo.ts'
import type { EchoAnswer } from '../src/kernel/echo-ledger.ts'
import { createNetns, deleteNetns, primeThreadPool, withNetns } from '../src/kernel/netns.ts'
import { quiet, until } from './lib/wait.ts'

const [NEAR, ROUTER, FAR] = ['near', 'router', 'far'].map(name => `tm-${process.pid}-${name}`) as
  [string, string, string]
const NEAR_ADDRESS = '10.9.1.1'
const ROUTER_ADDRESS = '10.9.1.254'
const FAR_ADDRESS = '10.9.2.1'
const ROUTER_MTU = 1400

type Answer = EchoAnswer | EchoFailure

async function sh(netns: string, script: string): Promise<string> {
  const result = await exec(['ip', 'netns', 'exec', netns, 'sh', '-euc', script])
  if (result.code !== 0) throw new Error(`${script}: ${result.stderr}`)
  return result.stdout
}

async function makeHosts(): Promise<void> {
  for (const netns of [NEAR, ROUTER, FAR]) createNetns(netns)
  await sh(ROUTER, `
    ip link set lo up
    ip link add v1 type veth peer name v1 netns ${NEAR}
    ip link add v2 type veth peer name v2 netns ${FAR}
    ip address add ${ROUTER_ADDRESS}/24 dev v1; ip link set v1 up
    ip address add 10.9.2.254/24 dev v2; ip link set v2 mtu ${ROUTER_MTU} up
    echo 1 > /proc/sys/net/ipv4/ip_forward`)
  await sh(NEAR, `ip link set lo up; ip address add ${NEAR_ADDRESS}/24 dev v1; ip link set v1 up
    ip route add default via ${ROUTER_ADDRESS}`)
  await sh(FAR, `ip link set lo up; ip address add ${FAR_ADDRESS}/24 dev v2; ip link set v2 up
    ip route add default via 10.9.2.254`)
}

class Asker {
  readonly answers = new Map<number, Answer>()
  readonly errors: Error[] = []
  readonly echo: Echo

  constructor(address: string | null = NEAR_ADDRESS) {
    this.echo = withNetns(NEAR, () => openEcho({
      address: address === null ? null : parseIpv4(address),
      onAnswer: answer => { this.answers.set(answer.sequence, answer) },
      onError: error => { this.errors.push(error) },
      nowMs: () => performance.now(),
    }))
  }

  async ask(sequence: number, sizeOctets: number, to = FAR_ADDRESS): Promise<Answer> {
    this.echo.send(parseIpv4(to), sizeOctets, sequence)
    return until(`an answer to ${sequence}`, () => this.answers.get(sequence))
  }
}

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'not root: this needs namespaces'
  try {
    createRequire(import.meta.url)('raw-socket')
    return false
  } catch {
    return 'needs the optional package "raw-socket"'
  }
}

const skip = whyNot()

function echoTest(name: string, body: (t: Test, asker: Asker) => Promise<void>): void {
  t.test(name, { skip }, async t => {
    const asker = new Asker()
    t.teardown(() => asker.echo.close())
    await body(t, asker)
    t.strictSame(asker.errors, [])
  })
}

t.before(async () => {
  if (skip !== false) return
  await primeThreadPool()
  await makeHosts()
})
t.teardown(() => {
  if (skip === false) for (const netns of [NEAR, ROUTER, FAR]) deleteNetns(netns)
})

echoTest('what fits comes back, and how long that took', async (t, asker) => {
  for (const [sequence, octets] of [[1, 44], [2, 84], [3, 1000], [65_535, ROUTER_MTU]] as const) {
    const answer = await asker.ask(sequence, octets)
    t.match(answer, { type: 'reply', sequence })
    if (answer.type === 'reply') t.ok(answer.rttMs > 0 && answer.rttMs < 1000, `${answer.rttMs}`)
  }
  t.match(asker.echo.counts(), { sent: 4, replies: 4, errors: 0, refused: 0 })
})

echoTest('what does not fit the router is told by it, again and again', async (t, asker) => {
  for (const sequence of [1, 2, 3]) {
    // The kernel has learned of it by the first; that must not keep the next ones at home.
    t.strictSame(await asker.ask(sequence, ROUTER_MTU + 1), {
      type: 'too-large', sequence, from: parseIpv4(ROUTER_ADDRESS), mtuOctets: ROUTER_MTU,
    })
  }
})

echoTest('what does not fit the own device does not leave', async (t, asker) => {
  t.strictSame(await asker.ask(1, 1501), { type: 'too-large-here', sequence: 1 })
  t.strictSame(await asker.ask(2, 65_535), { type: 'too-large-here', sequence: 2 })
  t.match(asker.echo.counts(), { sent: 0, refused: 2 })
})

echoTest('a network that nobody knows: the router says so', async (t, asker) => {
  const from = parseIpv4(ROUTER_ADDRESS)
  t.strictSame(await asker.ask(1, 84, '10.9.9.9'),
    { type: 'unreachable', sequence: 1, from, code: 0 })
})

echoTest('no route at home: the kernel\'s words', async (t, asker) => {
  await sh(NEAR, 'ip route del default')
  const answer = await asker.ask(1, 84)
  await sh(NEAR, `ip route add default via ${ROUTER_ADDRESS}`)
  t.strictSame(answer, { type: 'refused', sequence: 1, reason: 'Network is unreachable' })
})

echoTest('what other programs ask and are answered does not even wake us', async (t, asker) => {
  await sh(NEAR, `ping -q -c 200 -i 0.002 -W 2 ${FAR_ADDRESS}`)
  await sh(FAR, `ping -q -c 200 -i 0.002 -W 2 ${NEAR_ADDRESS}`)
  await exec(['ip', 'netns', 'exec', NEAR, 'ping', '-c', '1', '-W', '1', '10.9.9.9'])
  t.match(await asker.ask(1, 84), { type: 'reply' })
  // The one error about ICMP that is not ours passes the filter, and is not taken for ours.
  t.match(asker.echo.counts(), { sent: 1, replies: 1, errors: 0, unknown: 1, malformed: 0 })
})

echoTest('a burst of more than waits at most: each is answered or refused', async (t, asker) => {
  for (let sequence = 0; sequence < 600; sequence++) {
    asker.echo.send(parseIpv4(FAR_ADDRESS), 84, sequence)
  }
  await until('all have their answer', () => asker.answers.size === 600)
  const { sent, replies, refused } = asker.echo.counts()
  t.equal(sent + refused, 600)
  t.equal(sent, replies)
  t.ok(refused > 0)
})

t.test('requests leave from the address that was asked for, and from no other', { skip },
  async t => {
    await sh(NEAR, 'ip address add 10.9.1.2/24 dev v1')
    const asker = new Asker('10.9.1.2')
    t.teardown(() => asker.echo.close())
    await sh(FAR, 'nft add table ip t; nft add chain ip t in "{ type filter hook input priority 0; }"'
      + '; nft add rule ip t in ip saddr 10.9.1.2 counter accept')
    t.match(await asker.ask(1, 84), { type: 'reply' })
    t.match(await sh(FAR, 'nft list table ip t'), /counter packets 1 /)
    t.throws(() => new Asker('10.9.1.3'), { code: 'TM_KERNEL', errnoName: 'EADDRNOTAVAIL' })
  })

t.test('after close nothing is called back', { skip }, async t => {
  const asker = new Asker(null)
  asker.echo.send(parseIpv4(FAR_ADDRESS), 84, 1)
  asker.echo.close()
  await quiet('the socket', () => asker.answers.size, 200)
  t.equal(asker.answers.size, 0)
  t.strictSame(asker.errors, [])
})
