// The table of the packet filter: what it says, in the words of nft(8), and that nothing else is
// touched. That the kernel takes it is shown in native-tests/670-way-out.
import test from 'ava'
import type { NftCommand } from '../kernel/nft.ts'
import { noRules, wayOutRules } from './way-out-rules.ts'

type Match = { op: string; left: Record<string, Record<string, string>>; right: unknown }

/** As nft would list it, as far as these rules go. */
function wordsOf(expression: Readonly<Record<string, unknown>>): string {
  const [kind = '', value] = Object.entries(expression)[0] ?? []
  if (kind !== 'match') return kind
  const { op, left, right } = value as Match
  const [, { key, field } = {}] = Object.entries(left)[0] ?? []
  return `${key ?? field} ${op} ${JSON.stringify(right)}`
}

function rulesOf(commands: readonly NftCommand[], chain: string): string[] {
  return commands.flatMap(({ add }) => {
    const { rule } = (add ?? {}) as { rule?: { chain: string; expr: Record<string, unknown>[] } }
    return rule?.chain === chain ? [rule.expr.map(wordsOf).join(', ')] : []
  })
}

const OURS = '"tmg*"'
const PLAN = {
  subnet: '172.18.0.0/16', opened: [], ingressDevice: 'tm-ingress', udpPort: 4789, isUsed: true,
}
const SUBNET = '{"prefix":{"addr":"172.18.0.0","len":16}}'

test('tasks get out, answers come back, and that is all', t => {
  const rules = wayOutRules(PLAN)
  t.deepEqual(rulesOf(rules, 'forward'), [
    `iifname == ${OURS}, oifname == ${OURS}, counter, drop`,
    `iifname == ${OURS}, saddr != ${SUBNET}, counter, drop`,
    `oifname == ${OURS}, state in ["established","related"], accept`,
    `oifname == ${OURS}, counter, drop`,
  ])
  t.deepEqual(rulesOf(rules, 'postrouting'), [
    `saddr == ${SUBNET}, oifname != ${OURS}, masquerade`,
  ])
})

test('without tasks nobody comes in, and no connection is followed', t => {
  const commands = wayOutRules({ ...PLAN, isUsed: false })
  t.deepEqual(rulesOf(commands, 'forward'), [
    `iifname == ${OURS}, oifname == ${OURS}, counter, drop`,
    `iifname == ${OURS}, saddr != ${SUBNET}, counter, drop`,
    `oifname == ${OURS}, counter, drop`,
  ])
  t.notRegex(JSON.stringify(commands), /"ct"|"nat"|masquerade/)
})

test('tunnels are not followed, neither in nor out', t => {
  for (const chain of ['untracked-prerouting', 'untracked-output']) {
    t.deepEqual(rulesOf(wayOutRules(PLAN), chain), ['dport == 4789, notrack'])
  }
})

test('devices that were opened pass on nothing for others, but for published ports', t => {
  const rules = wayOutRules({ ...PLAN, opened: ['eth0', 'eth1'] })
  t.is(rulesOf(rules, 'forward').at(-1),
    'iifname == {"set":["eth0","eth1"]}, oifname != "tm-ingress", counter, drop')
})

test('all of it is in one table, which is made anew, and hooks accept what is not ours', t => {
  const commands = wayOutRules({ ...PLAN, opened: ['eth0'] })
  t.deepEqual(commands.slice(0, 3), [
    { add: { table: { family: 'ip', name: 'tapmesh' } } },
    { delete: { table: { family: 'ip', name: 'tapmesh' } } },
    { add: { table: { family: 'ip', name: 'tapmesh' } } },
  ])
  for (const command of commands.slice(3)) {
    const [object] = Object.values(command['add'] as Record<string, Record<string, unknown>>)
    t.is(object?.['family'], 'ip')
    t.is(object?.['table'], 'tapmesh')
    t.true([undefined, 'accept'].includes(object?.['policy'] as string | undefined))
  }
})

test('taking it away needs no table to be there', t => {
  t.deepEqual(noRules().map(command => Object.keys(command)), [['add'], ['delete']])
})
