// Whose process a task is: as Docker understands --user.
import test from 'ava'
import { withRootfs } from './rootfs.test-kit.ts'
import { resolveUser, type TaskUser } from './task-user.ts'

const TREE = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:100::/home/web:/bin/sh\n'
    + 'bare:x:1001:1001:::\nbroken\nhuge:x:4294967295:0:::\n',
  'etc/group': 'root:x:0:\nusers:x:100:web\nadm:x:4:web,other\nlog:x:5:web\nlike:x:6:webber\n',
}

const rows: [user: string, expected: TaskUser][] = [
  ['web', { uid: 1000, gid: 100, groups: [100, 4, 5], home: '/home/web' }],
  ['1000', { uid: 1000, gid: 100, groups: [100, 4, 5], home: '/home/web' }],
  ['web:adm', { uid: 1000, gid: 4, groups: [4], home: '/home/web' }],
  ['web:7', { uid: 1000, gid: 7, groups: [7], home: '/home/web' }],
  ['0', { uid: 0, gid: 0, groups: [0], home: '/root' }],
  ['4242', { uid: 4242, gid: 0, groups: [0], home: '/' }],
  ['4242:4343', { uid: 4242, gid: 4343, groups: [4343], home: '/' }],
  ['bare', { uid: 1001, gid: 1001, groups: [1001], home: '/' }],
]
for (const [user, expected] of rows) {
  test(`user ${user}`, t => withRootfs(TREE, root => {
    t.deepEqual(resolveUser(user, root), expected)
  }))
}

const refused: [user: string, message: RegExp][] = [
  ['nobody', /no user "nobody" in .*\/etc\/passwd/],
  ['web:none', /no group "none" in .*\/etc\/group/],
  ['-1', /no user "-1"/], ['4294967295', /no user "4294967295"/], ['huge', /no user "huge"/],
]
for (const [user, message] of refused) {
  test(`no user ${user}`, t => withRootfs(TREE, root => {
    t.throws(() => resolveUser(user, root), { code: 'TM_USAGE', message })
  }))
}

test('without any file there are only numbers', t => withRootfs({}, root => {
  t.is(resolveUser('33:33', root).gid, 33)
  t.throws(() => resolveUser('root', root), { message: /no user "root"/ })
}))
