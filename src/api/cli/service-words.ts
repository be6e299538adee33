// Words of the service commands that carry a value: published ports, networks with aliases, weights
// of the load balancer.
import { UsageError } from '../../base/errors.ts'
import type { ServiceCreate } from '../client.ts'

type Publish = NonNullable<ServiceCreate['ports']>[number]
type Attachment = NonNullable<ServiceCreate['networks']>[number]

const PORT_MAX = 65_535
/** Ports of one range. */
const RANGE_MAX = 32
const SHORT = /^(?:(\w+),)?(?:([\d-]*):)?([\d-]*)(?:\/(\w+))?$/

/**
 * "8080:80", "host,8080:80/udp", "80", "8000-8002:80-82", or Docker's long form
 * "published=8080,target=80,protocol=udp,mode=host".
 */
export function portsOf(words: string): Publish[] {
  if (words.includes('=')) return [longPort(words)]
  const [, mode = 'ingress', published = '', target = '', protocol = 'tcp'] = SHORT.exec(words)
    ?? []
  if (target === '') {
    throw new UsageError(`--publish "${words}" has no target port; write PUBLISHED:TARGET, as in `
      + '8080:80 or host,8080:80/udp')
  }
  const targets = rangeOf(words, target)
  const publisheds = published === '' ? [] : rangeOf(words, published)
  if (publisheds.length > 0 && publisheds.length !== targets.length) {
    throw new UsageError(`--publish "${words}": the two ranges have different lengths`)
  }
  return targets.map((port, n) => ({ mode: modeOf(words, mode), published: publisheds[n],
    target: port, protocol: protocolOf(words, protocol) }))
}

/** "80" or "80/udp", as --publish-rm has it; also "8080:80", whose target counts. */
export function targetOf(words: string): { target: number; protocol: 'tcp' | 'udp' } {
  const [{ target, protocol = 'tcp' }] = portsOf(words) as [Publish]
  return { target, protocol }
}

/** "mynet" or "name=mynet,alias=www" */
export function attachmentOf(words: string): Attachment {
  if (!words.includes('=')) return { network: words }
  const pairs = pairsOf('--network', words, ['name', 'alias'])
  const network = pairs.find(([key]) => key === 'name')?.[1]
  if (network === undefined) {
    throw new UsageError(`--network "${words}": write NETWORK or name=NETWORK,alias=NAME`)
  }
  return { network, aliases: pairs.filter(([key]) => key === 'alias').map(([, name]) => name) }
}

/** ["1=5", "2=0"] -> { 1: 5, 2: 0 } */
export function weightsOf(words: string[]): Record<string, number> {
  return Object.fromEntries(words.map(word => {
    const [, slot, weight] = /^([1-9]\d{0,3})=(\d{1,5})$/.exec(word) ?? []
    if (slot === undefined || Number(weight) > PORT_MAX) {
      throw new UsageError(`--lb-weight "${word}": write SLOT=WEIGHT, a weight from 0 to 65535`)
    }
    return [slot, Number(weight)]
  }))
}

/** "web=3" -> ["web", 3] */
export function scaleOf(word: string): [service: string, replicas: number] {
  const [, service, replicas] = /^([^=]+)=(-?\d{1,9})$/.exec(word) ?? []
  if (service === undefined) {
    throw new UsageError(`"${word}" is no scale; write SERVICE=REPLICAS, as in web=3`)
  }
  return [service, Number(replicas)]
}

function longPort(words: string): Publish {
  const keys = ['published', 'target', 'protocol', 'mode', 'source']
  const { target, published, protocol = 'tcp', mode = 'ingress', source }
    = Object.fromEntries(pairsOf('--publish', words, keys)) as Record<string, string | undefined>
  if (target === undefined) {
    throw new UsageError(`--publish "${words}" has no target port; add target=PORT`)
  }
  if (source !== undefined && source !== 'node' && source !== 'preserve') {
    throw new UsageError(`--publish "${words}": a source is "node" or "preserve"`)
  }
  return { target: portOf(words, target), mode: modeOf(words, mode), source,
    published: published === undefined ? undefined : portOf(words, published),
    protocol: protocolOf(words, protocol) }
}

function pairsOf(option: string, words: string, keys: string[]): [string, string][] {
  return words.split(',').map(word => {
    const at = word.indexOf('=')
    const key = word.slice(0, Math.max(0, at))
    if (!keys.includes(key)) {
      throw new UsageError(`${option} "${words}": "${word}" is none of ${keys.join('=, ')}=`)
    }
    return [key, word.slice(at + 1)]
  })
}

/** "80" -> [80], "80-82" -> [80, 81, 82] */
function rangeOf(words: string, text: string): number[] {
  const [first = '', last = first, ...rest] = text.split('-')
  const from = portOf(words, first)
  const length = portOf(words, last) - from + 1
  if (rest.length > 0 || length < 1 || length > RANGE_MAX) {
    throw new UsageError(`--publish "${words}": "${text}" is no range of 1 to ${RANGE_MAX} ports`)
  }
  return Array.from({ length }, (_, n) => from + n)
}

function portOf(words: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port >= 1 && port <= PORT_MAX) return port
  throw new UsageError(`--publish "${words}": "${text}" is no port from 1 to ${PORT_MAX}`)
}

function modeOf(words: string, text: string): 'ingress' | 'host' {
  if (text === 'ingress' || text === 'host') return text
  throw new UsageError(`--publish "${words}": "${text}" is no mode; it is "ingress" or "host"`)
}

function protocolOf(words: string, text: string): 'tcp' | 'udp' {
  if (text === 'tcp' || text === 'udp') return text
  throw new UsageError(`--publish "${words}": "${text}" is no protocol; it is "tcp" or "udp"`)
}
