// What crun is told: the parts of config.json that make the difference between two tasks.
import test from 'ava'
import { ociConfig, type OciTask } from './oci-config.ts'

const task: OciTask = {
  rootfs: '/srv/box', command: ['httpd', '-f'], env: ['A=b'], workdir: null, hostname: 'web',
  user: { uid: 0, gid: 0, groups: [], home: '/root' }, netns: '/run/netns/tm-web',
  directory: '/var/lib/tapmesh/tasks/ab',
}
type Config = {
  process: { capabilities: Record<string, string[]>; user: object; cwd: string }
  mounts: { destination: string; source: string }[]
  linux: { namespaces: { type: string; path?: string }[] }
}
const configOf = (change: Partial<OciTask>) => ociConfig({ ...task, ...change }) as Config

test('the network namespace is ours, the others are new', t => {
  t.deepEqual(configOf({}).linux.namespaces, [
    { type: 'network', path: '/run/netns/tm-web' }, { type: 'pid' }, { type: 'ipc' },
    { type: 'uts' }, { type: 'mount' },
  ])
})

test('root has the capabilities of the default set, and none for devices', t => {
  const { capabilities, cwd } = configOf({}).process
  t.is(cwd, '/')
  t.is(capabilities['bounding']!.length, 13)
  t.deepEqual(capabilities['effective'], capabilities['bounding'])
  t.false(capabilities['bounding']!.includes('CAP_MKNOD'))
  t.deepEqual(capabilities['inheritable'], [])
})

test('somebody else has none, and may get no more than the set', t => {
  const user = { uid: 33, gid: 34, groups: [4], home: '/' }
  const { process } = configOf({ user, workdir: '/srv' })
  t.deepEqual(process.user, { uid: 33, gid: 34, additionalGids: [4] })
  t.deepEqual(process.capabilities['effective'], [])
  t.is(process.capabilities['bounding']!.length, 13)
  t.is(process.cwd, '/srv')
})

test('its files are mounted last', t => {
  const mounts = configOf({}).mounts.slice(-3).map(({ destination, source }) =>
    [destination, source])
  t.deepEqual(mounts, [
    ['/etc/resolv.conf', '/var/lib/tapmesh/tasks/ab/resolv.conf'],
    ['/etc/hosts', '/var/lib/tapmesh/tasks/ab/hosts'],
    ['/etc/hostname', '/var/lib/tapmesh/tasks/ab/hostname'],
  ])
})
