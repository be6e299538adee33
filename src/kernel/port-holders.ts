// Which programs of this machine have which ports: /proc/net of the thread's own network namespace,
// and the descriptors of all processes.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export type Transport = 'tcp' | 'udp'
export type HeldPort = Readonly<{ protocol: Transport; port: number; inode: string }>

/** proc(5), /proc/net/tcp: the states in which a port is held for whoever comes. */
const TCP_LISTENS = '0A'
const UDP_UNCONNECTED = '07'
const LOCAL_FIELD = 1
const STATE_FIELD = 3
const INODE_FIELD = 9

/** Ports on which somebody waits for others, of IPv4 and IPv6. One may be there several times. */
export function heldPorts(): HeldPort[] {
  return (['tcp', 'udp'] as const).flatMap(protocol => ['', '6'].flatMap(family =>
    portsIn(readTable(`/proc/net/${protocol}${family}`), protocol)))
}

/** Whether somebody in the network namespace of this process listens on the port. */
export function listens(pid: number, port: number): boolean {
  return ['tcp', 'tcp6'].some(name => portsIn(readTable(`/proc/${pid}/net/${name}`), 'tcp')
    .some(one => one.port === port))
}

/** @param table the text of /proc/net/tcp, tcp6, udp or udp6 */
export function portsIn(table: string, protocol: Transport): HeldPort[] {
  const wanted = protocol === 'tcp' ? TCP_LISTENS : UDP_UNCONNECTED
  return table.split('\n').slice(1).flatMap(line => {
    const fields = line.trim().split(/\s+/)
    const port = parseInt(fields[LOCAL_FIELD]?.split(':')[1] ?? '', 16)
    const inode = fields[INODE_FIELD]
    return fields[STATE_FIELD] !== wanted || inode === undefined || !(port > 0) ? []
      : [{ protocol, port, inode }]
  })
}

/** "nginx (pid 12)" for each socket that a process has open, by inode. */
export function programsOf(inodes: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>()
  for (const pid of listed('/proc')) {
    if (found.size === inodes.size) break
    if (!/^\d+$/.test(pid)) continue
    for (const fd of listed(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode === undefined || !inodes.has(inode) || found.has(inode)) continue
      found.set(inode, `${readTable(`/proc/${pid}/comm`).trim() || 'a program'} (pid ${pid})`)
    }
  }
  return found
}

/** Processes come and go meanwhile: what is not there any more has nothing. */
function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function listed(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
