// Whose process a task is: names and numbers, as /etc/passwd and /etc/group of the file system say
// that the task sees.
import { UsageError } from '../base/errors.ts'
import { HOST_ROOT, linesOf } from './rootfs.ts'

/** Numbers of users and groups have 32 bits, and the last one means "none". */
const ID_MAX = 0xffff_fffe

export type TaskUser = Readonly<{
  uid: number
  gid: number
  /** All that it is in, `gid` among them: else a file could be kept from just that group. */
  groups: readonly number[]
  home: string
}>

/**
 * A number that no file names is taken as it is, with group 0; a named group stands for all others.
 * @param user "name", "uid", each perhaps with ":group" or ":gid"
 * @param root of the task's file system
 * @throws UsageError when there is no such user or group
 */
export function resolveUser(user: string, root: string): TaskUser {
  const [who = '', group] = user.split(':')
  const known = linesOf(root, '/etc/passwd').map(line => line.split(':'))
    .find(([name, , uid]) => name === who || uid === who)
  const uid = numberOf(known?.[2] ?? who)
  if (uid === null) throw nobody('user', who, root, 'passwd')
  const groups = linesOf(root, '/etc/group').map(line => line.split(':'))
  const home = known?.[5] || '/'
  if (group !== undefined) {
    const named = groups.find(([name, , id]) => name === group || id === group)
    const gid = numberOf(named?.[2] ?? group)
    if (gid === null) throw nobody('group', group, root, 'group')
    return { uid, gid, groups: [gid], home }
  }
  const gid = numberOf(known?.[3] ?? '0') ?? 0
  const memberOf = groups.filter(([, , , members]) => known !== undefined
    && (members ?? '').split(',').includes(known[0]!))
  const others = memberOf.map(([, , id]) => numberOf(id ?? '')).filter(id => id !== null)
  return { uid, gid, groups: [...new Set([gid, ...others])], home }
}

function numberOf(text: string): number | null {
  return /^\d{1,10}$/.test(text) && Number(text) <= ID_MAX ? Number(text) : null
}

function nobody(kind: string, name: string, root: string, file: string): UsageError {
  const path = `${root === HOST_ROOT ? '' : root}/etc/${file}`
  return new UsageError(`there is no ${kind} "${name}" in ${path}`, { [kind]: name })
}
