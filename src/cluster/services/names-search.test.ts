// A search domain behind a name of ours does not carry it outside; a full name still goes there.
import test from 'ava'
import { SEARCH_MEMORY_MS, SEARCH_NAMES_MAX, SearchMemory } from './names-search.ts'

const SEARCH = ['corp.example', 'Lab.Example']

test('right after the name, the name with a search domain is the same', t => {
  const memory = new SearchMemory()
  memory.remember('web', 1000)
  t.is(memory.origin('web.corp.example', SEARCH, 1001), 'web')
  t.is(memory.origin('web.lab.example', SEARCH, 1000 + SEARCH_MEMORY_MS), 'web')
  t.is(memory.origin('web.corp.example', SEARCH, 1001 + SEARCH_MEMORY_MS), null)
})

test('out of nothing it is a name like any other', t => {
  const memory = new SearchMemory()
  t.is(memory.origin('web.corp.example', SEARCH, 0), null)
  memory.remember('web', 0)
  t.is(memory.origin('db.corp.example', SEARCH, 1), null)
  t.is(memory.origin('web.example', SEARCH, 1), null)
  t.is(memory.origin('web.corp.example', [], 1), null)
})

test('the oldest is forgotten when there are too many', t => {
  const memory = new SearchMemory()
  for (let n = 0; n < SEARCH_NAMES_MAX; n++) memory.remember(`n${n}`, n)
  memory.remember('n0', 50)
  memory.remember('more', 51)
  t.is(memory.origin('n0.corp.example', SEARCH, 52), 'n0')
  t.is(memory.origin('n1.corp.example', SEARCH, 52), null)
})
