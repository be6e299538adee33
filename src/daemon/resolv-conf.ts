// The file resolv.conf: what the host's says, and what a task's is to say. A task asks 127.0.0.11
// and nobody else; the host's search domains and options stay, but for the order of the search.
import { isIP } from 'node:net'

/** Where the names of a task's networks are answered, inside its network namespace. */
export const TASK_NAME_SERVER = '127.0.0.11'
export const HOST_RESOLV_CONF = '/etc/resolv.conf'

/** resolver(5): more name servers than MAXNS are not asked by anybody. */
export const UPSTREAMS_MAX = 3
const SEARCH_MAX = 32
const OPTIONS_MAX = 32
const RESOLV_CONF_OCTETS_MAX = 65_536

export type ResolvConf = Readonly<{
  nameServers: readonly string[]
  search: readonly string[]
  options: readonly string[]
}>

/** What of `text` a resolver would use: the rest is passed over, as resolver(5) says. */
export function parseResolvConf(text: string): ResolvConf {
  const nameServers: string[] = []
  const options: string[] = []
  let search: string[] = []
  for (const line of text.slice(0, RESOLV_CONF_OCTETS_MAX).split('\n')) {
    // Comments begin a line, or follow a blank: an address may hold neither sign.
    const [keyword, ...values] = line.replace(/(^|\s)[#;].*$/, '').trim().split(/\s+/)
    switch (keyword) {
      case 'nameserver':
        if (isServer(values[0])) nameServers.push(values[0])
        break
      case 'domain': // of the two, the last one counts
        search = values.slice(0, 1).filter(isDomain)
        break
      case 'search':
        search = values.filter(isDomain)
        break
      case 'options':
        options.push(...values.filter(value => /^[a-z0-9:-]{1,64}$/.test(value)))
    }
  }
  return { nameServers, search: search.slice(0, SEARCH_MAX),
    options: options.slice(0, OPTIONS_MAX) }
}

/**
 * The text of a task's resolv.conf. A name is looked up as it stands before search domains are
 * tried (ndots:0), so that the name of a service costs one question and never leaves the host.
 * @param hostText what the host's file says
 */
export function renderResolvConf(hostText: string): string {
  const host = parseResolvConf(hostText)
  const options = ['ndots:0', ...host.options.filter(option => !option.startsWith('ndots:'))]
  return [
    `# Written by tapmesh: names of this task's networks, and through them all others.`,
    `nameserver ${TASK_NAME_SERVER}`,
    ...host.search.length === 0 ? [] : [`search ${host.search.join(' ')}`],
    `options ${options.join(' ')}`,
    '',
  ].join('\n')
}

/**
 * Whom the host asks: at most UPSTREAMS_MAX, and never the address that tasks ask, which would be
 * a question without end.
 */
export function upstreamsOf(host: ResolvConf): string[] {
  return [...new Set(host.nameServers)].filter(server => server !== TASK_NAME_SERVER)
    .slice(0, UPSTREAMS_MAX)
}

/** An address; of IPv6 perhaps with the device that a link-local one belongs to. */
function isServer(text: string | undefined): text is string {
  return text !== undefined && isIP(text) !== 0
}

function isDomain(text: string): boolean {
  return /^[a-zA-Z0-9_.-]{1,253}$/.test(text) && text !== '.'
}
