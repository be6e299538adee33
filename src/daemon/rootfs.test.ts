// Paths inside a root file system: a link leads where it would lead with that root, and no further.
import test from 'ava'
import { inRoot, resolveProgram } from './rootfs.ts'
import { withRootfs } from './rootfs.test-kit.ts'

const PROGRAM = '#!/bin/sh\n'
const TREE = {
  'usr/bin/busybox': PROGRAM,
  'bin': { link: 'usr/bin' },
  'usr/bin/sh': { link: 'busybox' },
  'usr/bin/out': { link: '/usr/bin/sh' },
  'usr/bin/away': { link: '../../../../../../../../bin/sh' },
  'usr/bin/round': { link: 'round' },
  'usr/bin/gone': { link: '/no/such' },
  'usr/bin/text': 'text',
  'srv/app': PROGRAM,
  'etc/empty': '',
}

const rows: [path: string, host: string | null][] = [
  ['/usr/bin/busybox', '/usr/bin/busybox'],
  ['/bin/sh', '/usr/bin/busybox'],
  ['/bin/out', '/usr/bin/busybox'],
  ['/bin/away', '/usr/bin/busybox'],
  ['/../../etc/empty', '/etc/empty'],
  ['/srv/./../srv//app', '/srv/app'],
  ['/bin/gone', '/no/such'],
  ['/bin/round', null],
  ['/', ''],
]
for (const [path, host] of rows) {
  test(`in a root: ${path}`, t => withRootfs(TREE, root => {
    t.is(inRoot(root, path), host === null ? null : root + host)
  }))
}

test('the root of the host is taken as it is', t => t.is(inRoot('/', '/bin/sh'), '/bin/sh'))

const place = (root: string) => ({ root, workdir: '/srv', path: '/none:/bin' })
const programs: [program: string, path: string][] = [
  ['sh', '/bin/sh'], ['./app', '/srv/app'], ['/usr/bin/away', '/usr/bin/away'],
]
for (const [program, path] of programs) {
  test(`a program of a root: ${program}`, t => withRootfs(TREE, root => {
    t.is(resolveProgram(program, place(root)), path)
  }))
}

for (const program of ['app', 'text', 'gone', 'round', '', '/srv', '/bin/text']) {
  test(`no program of a root: "${program}"`, t => withRootfs(TREE, root => {
    t.throws(() => resolveProgram(program, place(root)),
      { code: 'TM_USAGE', message: new RegExp(`cannot run "${program}": .* in ${root}`) })
  }))
}

test('a working directory that is not there', t => withRootfs(TREE, root => {
  const wrong = { ...place(root), workdir: '/bin/sh' }
  t.throws(() => resolveProgram('sh', wrong), { message: /in \/bin\/sh: .*no such directory in/ })
}))
