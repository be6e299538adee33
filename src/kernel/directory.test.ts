import test from 'ava'
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeDirectory } from './directory.ts'

const folder = mkdtempSync(join(tmpdir(), 'tapmesh-directory-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

test('a directory is made with all above it, and may be there already', t => {
  const path = join(folder, 'a', 'b', 'c')
  makeDirectory(path, 0o700)
  t.is(statSync(path).mode & 0o777, 0o700)
  makeDirectory(path, 0o755)
  t.is(statSync(path).mode & 0o777, 0o700)
  makeDirectory('/', 0o755)
})

test('what cannot be made is named, and nothing waits for ever', t => {
  writeFileSync(join(folder, 'file'), '')
  symlinkSync('/nowhere', join(folder, 'dangling'))
  symlinkSync('loop', join(folder, 'loop'))
  const rows: [path: string, errno: string][] = [
    ['/proc/x/y', 'ENOENT'],
    ['/proc/self/tapmesh', 'ENOENT'],
    [join(folder, 'file'), 'EEXIST'],
    [join(folder, 'file', 'x'), 'EEXIST'],
    [join(folder, 'dangling'), 'EEXIST'],
    [join(folder, 'loop', 'x'), 'EEXIST'],
  ]
  for (const [path, errnoName] of rows) {
    const error = t.throws(() => makeDirectory(path, 0o700), { code: 'TM_KERNEL' }, path)
    t.like(error, { errnoName }, path)
  }
  t.throws(() => makeDirectory('/proc/x/y', 0o700),
    { message: /no directory can be made in \/proc$/ })
})
