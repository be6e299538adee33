// The memory of the packet path lies right, wherever the kernel puts it.
import test from 'ava'
import { makeArena } from './arena.ts'

const PAGE_OCTETS = 65_536
const LINE_OCTETS = 2 ** 32
/** Of 2 GiB, of which none is touched: half of all places are wrong for it. */
const PAGES = LINE_OCTETS / 2 / PAGE_OCTETS

test('an arena crosses no line of 4 GiB', t => {
  for (let n = 0; n < 3; n++) {
    const { base, octets } = makeArena(PAGES)
    t.is(octets.byteLength, PAGES * PAGE_OCTETS)
    t.true(base % LINE_OCTETS + PAGES * PAGE_OCTETS < LINE_OCTETS, `number ${n} is at ${base}`)
  }
})
