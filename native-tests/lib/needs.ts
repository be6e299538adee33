// What a machine may lack for a test, so that it is skipped with that reason and does not fail.
import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { createRequire } from 'node:module'

export type Needs = Readonly<{
  /** Commands on the PATH. */
  tools?: readonly string[]
  /** What packages bring besides commands: paths. */
  files?: readonly string[]
  /** Kinds of device that `ip link add` must know. */
  links?: readonly (keyof typeof LINKS)[]
  /** Control groups of version 2 that can be written, with cgroup.kill. */
  cgroup2?: boolean
  /** The optional package "cap", which is compiled where a compiler and libpcap-dev are. */
  cap?: boolean
  /** The optional package "raw-socket", which is compiled where a compiler is. */
  rawSocket?: boolean
}>

const LINKS = {
  vxlan: ['lack1', 'type', 'vxlan', 'id', '1', 'dstport', '4789'],
  vlan: ['link', 'lack0', 'name', 'lack1', 'type', 'vlan', 'id', '7'],
  macvlan: ['link', 'lack0', 'name', 'lack1', 'type', 'macvlan', 'mode', 'bridge'],
} as const

const CGROUP = 'group=$(awk \'$3 == "cgroup2" { print $2; exit }\' /proc/self/mounts)/lack$$ '
  + '&& mkdir "$group" && test -e "$group/cgroup.kill"; had=$?; rmdir "$group"; exit $had'

/** What is lacking, in words for the report of a skipped test; false when nothing is. */
export function lacking(needs: Needs): string | false {
  if (process.getuid?.() !== 0) return 'needs root'
  if (!usable('/dev/net/tun')) return 'needs /dev/net/tun'
  const tool = needs.tools?.find(name => !works(['sh', '-c', `command -v ${name}`]))
  if (tool !== undefined) return `needs the command "${tool}"`
  const file = needs.files?.find(path => !existsSync(path))
  if (file !== undefined) return `needs ${file}`
  const link = needs.links?.find(kind => !works(['unshare', '--net', 'sh', '-c',
    `ip link add lack0 type veth peer name lack2 && ip link add ${LINKS[kind].join(' ')}`]))
  if (link !== undefined) return `needs a kernel with ${link} devices`
  if (needs.cgroup2 === true && !works(['sh', '-c', CGROUP])) {
    return 'needs control groups of version 2 that can be written'
  }
  if (needs.rawSocket === true && !loads('raw-socket')) {
    return 'needs the optional package "raw-socket"'
  }
  return needs.cap === true && !loads('cap') ? 'needs the optional package "cap"' : false
}

function usable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

function works([file = '', ...args]: string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore', timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

function loads(name: string): boolean {
  try {
    createRequire(import.meta.url)(name)
    return true
  } catch {
    return false
  }
}
