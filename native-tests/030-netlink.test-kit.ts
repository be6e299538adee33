// A namespace for the netlink tests, and what `ip -j` says of it.
import t from 'tap'
import type { Test } from 'tap'
import { exec } from '../src/base/exec.ts'
import { linkByName } from '../src/kernel/netlink/link.ts'
import { openRtnetlink, Rtnetlink } from '../src/kernel/netlink/rtnetlink.ts'
import { createNetns, deleteNetns, primeThreadPool, withNetns } from '../src/kernel/netns.ts'

export const NETNS = `tm-${process.pid}-netlink`
const CARRIER_TIMEOUT_MS = 5000

export type Json = Record<string, unknown>
export type Lab = { rt: Rtnetlink; t: Test; changes: () => number }

const skip = process.getuid?.() === 0 ? false : 'not root: this needs CAP_NET_ADMIN'

export async function ip(words: string): Promise<string> {
  const result = await exec(['ip', '-n', NETNS, ...words.split(' ')])
  if (result.code !== 0) throw new Error(`ip ${words}: ${result.stderr}`)
  return result.stdout
}

export async function ipJson(words: string): Promise<Json[]> {
  const text = await ip(`-d -j ${words}`)
  return text.trim() === '' ? [] : (JSON.parse(text) as Json[])
}

/** A namespace of its own with veth v0 to v1, both up, and a socket into it that counts changes. */
export function lab(name: string, body: (lab: Lab) => Promise<void>): void {
  t.test(name, { skip }, async t => {
    await primeThreadPool()
    createNetns(NETNS)
    t.teardown(() => deleteNetns(NETNS))
    const rt = withNetns(NETNS, openRtnetlink)
    t.teardown(() => rt.close())
    let changes = 0
    rt.change = (...words) => {
      changes += 1
      return Rtnetlink.prototype.change.apply(rt, words)
    }
    await ip('link add v0 type veth peer name v1')
    await ip('link set v0 up')
    await ip('link set v1 up')
    await carriersUp()
    await body({ rt, t, changes: () => changes })
  })
}

/** The kernel notices the carrier of a veth a little after both ends are up. */
async function carriersUp(): Promise<void> {
  const endMs = performance.now() + CARRIER_TIMEOUT_MS
  for (;;) {
    const states = (await ipJson('link show type veth')).map(link => link['operstate'])
    if (states.every(state => state === 'UP')) return
    if (performance.now() > endMs) throw new Error(`veth: ${states.join(', ')}`)
  }
}

export async function indexOf(rt: Rtnetlink, name: string): Promise<number> {
  const link = await linkByName(rt, name)
  if (link === null) throw new Error(`no ${name}`)
  return link.index
}
