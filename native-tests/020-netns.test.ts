// Named network namespaces on the real kernel: life cycle, leftovers, and no thread stays away.
// May run beside another test.
import { closeSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { readlink } from 'node:fs/promises'
import t from 'tap'
import type { Test } from 'tap'
import { exec } from '../src/base/exec.ts'
import { KernelError } from '../src/base/errors.ts'
import * as netns from '../src/kernel/netns.ts'
import { NETNS_DIRECTORY } from '../src/kernel/netns-directory.ts'

const HERE = '/proc/thread-self/ns/net'
const MINE = `tm-${process.pid}`
const CYCLES = 1000
/** More than libuv's pool has threads. */
const POOL_READS = 16
const CYCLES_TIMEOUT_S = 60

const here = () => readlinkSync(HERE)
const main = here()
const openDescriptors = () => readdirSync('/proc/self/fd').length

async function ip(...words: string[]): Promise<string> {
  const result = await exec(['ip', ...words])
  if (result.code !== 0) throw new Error(`ip ${words.join(' ')}: ${result.stderr}`)
  return result.stdout
}

const skip = process.getuid?.() === 0 ? false : 'not root: network namespaces need CAP_SYS_ADMIN'

/** A test that ends with every thread where it was. */
function netnsTest(name: string, body: (t: Test) => Promise<void>): void {
  t.test(name, { skip }, async t => {
    await body(t)
    t.equal(here(), main, 'the main thread is at home')
    const pool = await Promise.all(Array.from({ length: POOL_READS }, () => readlink(HERE)))
    t.strictSame(new Set(pool), new Set([main]), 'the thread pool is at home')
  })
}

t.teardown(() => {
  for (const name of netns.listNetns()) if (name.startsWith(`${MINE}-`)) netns.deleteNetns(name)
})

t.test('a thread does not leave before the pool is primed', async t => {
  t.throws(() => netns.withNetns(0, () => 1), { message: /primeThreadPool is awaited/ })
  await netns.primeThreadPool()
})

netnsTest('one is made, found by ip, and taken away', async t => {
  const name = `${MINE}-life`
  netns.createNetns(name)
  t.match(await ip('netns', 'list'), new RegExp(`^${name}\\b`, 'm'))
  t.ok(netns.listNetns().includes(name))
  const links = JSON.parse(await ip('-j', '-n', name, 'link')) as { ifname: string }[]
  t.ok(links.some(link => link.ifname === 'lo'))
  netns.deleteNetns(name)
  t.notMatch(await ip('netns', 'list'), new RegExp(`^${name}\\b`, 'm'))
  t.notOk(netns.listNetns().includes(name))
  netns.deleteNetns(name)
})

netnsTest('a name in use is refused, whoever made it', async t => {
  const name = `${MINE}-twice`
  await ip('netns', 'add', name)
  t.throws(() => netns.createNetns(name), { code: 'TM_CONFLICT', message: new RegExp(name) })
  t.match(await ip('netns', 'list'), new RegExp(`^${name}\\b`, 'm'), 'it still stands')
  netns.deleteNetns(name)
  t.notOk(netns.listNetns().includes(name), 'what ip made goes as well')
})

netnsTest('the empty file of a killed process is healed', async t => {
  const name = `${MINE}-healed`
  const path = `${NETNS_DIRECTORY}/${name}`
  writeFileSync(path, '', { mode: 0 })
  t.throws(() => netns.openNetns(name), { code: 'TM_NOT_FOUND' })
  netns.createNetns(name)
  t.not(netns.withNetns(name, here), main)
  netns.deleteNetns(name)
  writeFileSync(path, '', { mode: 0 })
  netns.deleteNetns(name)
  t.notOk(netns.listNetns().includes(name), 'a leftover can be deleted too')
  writeFileSync(path, 'not ours')
  t.throws(() => netns.createNetns(name), { code: 'TM_CONFLICT', message: new RegExp(path) })
  rmSync(path)
})

netnsTest('a name that is mounted twice goes with one call', async t => {
  const name = `${MINE}-stacked`
  const path = `${NETNS_DIRECTORY}/${name}`
  netns.createNetns(name)
  t.equal((await exec(['mount', '--bind', path, path])).code, 0)
  netns.deleteNetns(name)
  t.notOk(netns.listNetns().includes(name))
})

netnsTest('work is done inside and the thread comes back', async t => {
  const name = `${MINE}-inside`
  netns.createNetns(name)
  const inside = netns.withNetns(name, here)
  t.not(inside, main)
  const nested = `${MINE}-nested`
  netns.createNetns(nested)
  netns.withNetns(name, () => {
    t.not(netns.withNetns(nested, here), inside)
    t.equal(here(), inside, 'a nested visit ends where it began')
  })
  t.throws(() => netns.withNetns(name, () => { throw new Error('inside') }), { message: 'inside' })
  t.equal(here(), main, 'an error brings it back as well')
  t.throws(() => netns.withNetns(name, async () => 1), { message: /synchronous/ })
})

netnsTest('a descriptor keeps the namespace when its name is gone', async t => {
  const name = `${MINE}-held`
  netns.createNetns(name)
  const fd = netns.openNetns(name)
  const inside = netns.withNetns(name, here)
  netns.deleteNetns(name)
  t.equal(netns.withNetns(fd, here), inside)
  t.throws(() => netns.withNetns(name, here), { code: 'TM_NOT_FOUND', message: new RegExp(name) })
  closeSync(fd)
})

netnsTest('what is no network namespace is refused by the kernel', async t => {
  const before = openDescriptors()
  const error = t.throws(() => netns.withNetns(0, here)) as KernelError
  t.equal(error.syscall, 'setns')
  t.equal(openDescriptors(), before)
})

for (const name of ['', '.', '..', 'a/b', '-n', 'a b', 'ä', 'x'.repeat(256)]) {
  netnsTest(`refused: the name "${name.slice(0, 9)}" of ${name.length} characters`, async t => {
    for (const call of [netns.createNetns, netns.deleteNetns, netns.openNetns]) {
      t.throws(() => call(name), { code: 'TM_USAGE' })
    }
  })
}

netnsTest('a process that cannot come home ends', async t => {
  const name = `${MINE}-stranded`
  netns.createNetns(name)
  const script = `
    import { closeSync, readdirSync, readlinkSync } from 'node:fs'
    import { primeThreadPool, withNetns } from '${import.meta.dirname}/../src/kernel/netns.ts'
    await primeThreadPool()
    const loseHome = () => readdirSync('/proc/self/fd').forEach(fd => {
      try {
        if (readlinkSync('/proc/self/fd/' + fd) === '${main}') closeSync(Number(fd))
      } catch {}
    })
    try { withNetns('${name}', loseHome) } catch (error) { console.log('caught', error.code) }
    setTimeout(() => console.log('went on'), 10_000)
  `
  const result = await exec([process.execPath, '--input-type=module', '--eval', script])
  t.equal(result.stdout, 'caught TM_STRANDED\n')
  t.match(result.stderr, /cannot return to the daemon's network namespace/)
  t.equal(result.code, 1)
})

netnsTest('many cycles leak no descriptor and no name', async t => {
  const name = `${MINE}-cycle`
  const before = openDescriptors()
  const endMs = performance.now() + CYCLES_TIMEOUT_S * 1000
  for (let cycle = 0; cycle < CYCLES && performance.now() < endMs; cycle += 1) {
    netns.createNetns(name)
    netns.withNetns(name, () => undefined)
    netns.deleteNetns(name)
  }
  t.equal(openDescriptors(), before)
  t.notOk(netns.listNetns().includes(name))
})
