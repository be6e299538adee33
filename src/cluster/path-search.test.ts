// The search alone: every packet that fits is answered, the others are dropped, with or without a
// word from the router.
import test from 'ava'
import { PATH_MTU_MIN_OCTETS, PathSearch } from './path-search.ts'

/** What the router says: the right number, nothing, no number, or a wrong one. */
type Router = 'right' | 'silent' | 'no number' | number

/** Try until the search ends. @returns the sizes that were tried, in order */
function run(search: PathSearch, mtu: number, router: Router, most = 100): number[] {
  const sizes: number[] = []
  do {
    const size = search.sizeOctets
    sizes.push(size)
    search.tried()
    if (size <= mtu) search.passed()
    else if (router === 'silent') search.failed()
    else search.tooLarge(router === 'right' ? mtu : router === 'no number' ? 0 : router)
  } while (search.isSearching && sizes.length < most)
  return sizes
}

const rows: [name: string, device: number, mtu: number, router: Router, sizes: number[]][] = [
  ['as wide as the device', 1500, 1500, 'right', [1500]],
  ['wider than the device', 1500, 9000, 'right', [1500]],
  ['a router says how wide', 1500, 1400, 'right', [1500, 1400, 1401]],
  ['one octet narrower', 1500, 1499, 'right', [1500, 1499]],
  ['jumbo frames stop at a router', 9000, 1500, 'right', [9000, 1500, 1501]],
  ['a router says nonsense: too large', 1500, 1400, 1450,
    [1500, 1450, 1013, 1232, 1341, 1396, 1423, 1410, 1403, 1400, 1402, 1401]],
  ['the narrowest', 1500, 576, 'right', [1500, 576, 577]],
]
for (const [name, device, mtu, router, sizes] of rows) {
  test(`search: ${name}`, t => {
    const search = new PathSearch(device)
    t.is(search.foundOctets, null)
    t.deepEqual(run(search, mtu, router), sizes)
    t.is(search.foundOctets, Math.min(mtu, device))
    t.is(search.sizeOctets, Math.min(mtu, device), 'that is what is watched')
  })
}

test('every width is found, whatever the router says, in a bounded number of sizes', t => {
  for (let mtu = PATH_MTU_MIN_OCTETS; mtu <= 1500; mtu++) {
    for (const router of ['silent', 'no number', 'right', 600, 1399, 68, 65_535] as const) {
      const search = new PathSearch(1500)
      const sizes = run(search, mtu, router)
      t.is(search.foundOctets, mtu)
      t.true(sizes.length <= 14, `${mtu} with ${router}: ${sizes.join(' ')}`)
    }
  }
})

test('a path that is narrower than the narrowest is told as that', t => {
  const search = new PathSearch(1500)
  t.true(run(search, 500, 'silent').length < 15)
  t.is(search.foundOctets, PATH_MTU_MIN_OCTETS)
  const narrowDevice = new PathSearch(500)
  run(narrowDevice, 500, 'silent')
  t.is(narrowDevice.foundOctets, PATH_MTU_MIN_OCTETS)
})

test('a limit that still holds is confirmed in two sizes', t => {
  const search = new PathSearch(1500)
  t.false(search.mayRise, 'there is nothing to rise from yet')
  run(search, 1400, 'silent')
  t.true(search.mayRise)
  search.rise()
  t.deepEqual(run(search, 1400, 'silent'), [1500, 1401])
  t.is(search.foundOctets, 1400)
})

test('a path that got wider is found, in full or in part', t => {
  const search = new PathSearch(1500)
  run(search, 1300, 'silent')
  search.rise()
  t.is(run(search, 1450, 'silent')[1], 1301)
  t.is(search.foundOctets, 1450)
  search.rise()
  t.deepEqual(run(search, 1500, 'silent'), [1500])
  t.is(search.foundOctets, 1500)
  t.false(search.mayRise)
})

test('what was found stands until a new search has ended', t => {
  const search = new PathSearch(1500)
  run(search, 1500, 'right')
  search.failed()
  t.true(search.isSearching)
  t.is(search.foundOctets, 1500)
  t.is(search.sizeOctets, 1500, 'loss may have deceived us: the same size once more')
  search.passed()
  t.false(search.isSearching)
  t.is(search.foundOctets, 1500)
})

test('a path that got narrower is searched below what it was', t => {
  const search = new PathSearch(1500)
  run(search, 1450, 'right')
  search.tooLarge(1400)
  t.deepEqual(run(search, 1400, 'right'), [1400, 1401])
  t.is(search.foundOctets, 1400)
  search.failed()
  run(search, 1380, 'silent')
  t.is(search.foundOctets, 1380)
  t.true(search.wasSilent)
})

test('tries are counted for each size', t => {
  const search = new PathSearch(1500)
  search.tried()
  search.tried()
  t.is(search.tries, 2)
  search.forgetTries()
  t.is(search.tries, 0)
  search.tried()
  search.tooLarge(1400)
  t.is(search.tries, 0)
  t.is(search.sizeOctets, 1400)
})
