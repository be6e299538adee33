// tapmesh dns why: how the answer to a name comes about.
import { type Command, Option } from 'commander'
import type { DnsWhyView } from '../../client.ts'
import { DNS_TYPES } from '../../question.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { print, printJson } from '../output.ts'
import { addExample } from '../words.ts'

type Options = { task?: string; type?: typeof DNS_TYPES[number]; json?: boolean }

export function define(command: Command): void {
  command
    .argument('<name>', 'a name, or an IPv4 address to ask whose it is')
    .option('--task <task>', 'as this task of the node hears it; else as one on all networks would')
    .addOption(new Option('--type <type>', 'what to ask for (default: A, of an address PTR)')
      .choices(DNS_TYPES))
    .option('--json', 'print everything as JSON')
    .action(async (name: string, { task, type, json }: Options) => {
      const view = await clientOf(command).dnsWhy({ name, task, type })
      if (json === true) printJson(view)
      else print(whyText(view))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh dns why web', 'tapmesh dns why --task db tasks.web',
    'tapmesh dns why 10.0.1.3')
}

function whyText(view: DnsWhyView): string {
  const { name, type, task, networks, steps, rcode, answers, tookMs } = view
  const whose = task === null ? 'a task on all networks' : `task ${task}`
  const data = answers.map(answer =>
    `\n  ${answer.type} ${answer.data} (TTL ${answer.ttlSeconds} s)`)
  return [
    `${name} ${type}, asked by ${whose}: ${networks.join(', ') || 'no network with names'}`,
    ...steps.map((step, n) => `  ${n + 1}. ${step}`),
    `${rcode} in ${tookMs.toFixed(1)} ms${data.length === 0 ? ', no record' : ''}${data.join('')}`,
  ].join('\n')
}
