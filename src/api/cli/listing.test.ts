// Lists: tables, JSON, templates and filters, for a listing with all that a listing can have.
import test from 'ava'
import { UsageError } from '../../base/errors.ts'
import { beginning, exactly, labelled, part } from './filters.ts'
import { filtered, type Listing, listText, type ListOptions } from './listing.ts'

type Thing = { id: string; name: string; kind: string; labels: Record<string, string> }

const THINGS: Thing[] = [
  { id: 'abcdef', name: 'one', kind: 'good', labels: { team: 'blue', zone: '1' } },
  { id: 'abzzzz', name: 'other', kind: 'bad', labels: { team: 'red' } },
]
const LISTING: Listing<Thing> = {
  columns: {
    ID: { heading: 'THING ID', of: ({ id }, { isWhole }) => isWhole ? id : id.slice(0, 3) },
    Name: { heading: 'NAME', of: ({ name }, { isCell }) => isCell ? `${name} *` : name },
    Good: { heading: 'GOOD', of: ({ kind }) => kind === 'good' },
  },
  table: ['ID', 'Name'],
  quiet: 'ID',
  filters: {
    id: beginning(({ id }) => id), name: part(({ name }) => name),
    kind: exactly(({ kind }) => kind, ['good', 'bad']), label: labelled(({ labels }) => labels),
  },
  labels: ({ labels }) => labels,
}
const text = (options: ListOptions, things = THINGS, isWhole = false): string =>
  listText(LISTING, things, options, { isWhole, isCell: false, nowMs: 0 })

const formats: [name: string, options: ListOptions, lines: string[]][] = [
  ['a table', {}, ['THING ID   NAME', 'abc        one *', 'abz        other *']],
  ['the table by its name', { format: 'table' },
    ['THING ID   NAME', 'abc        one *', 'abz        other *']],
  ['ids', { quiet: true }, ['abc', 'abz']],
  ['JSON, one object a line', { format: 'json' },
    ['{"ID":"abc","Name":"one","Good":true}', '{"ID":"abz","Name":"other","Good":false}']],
  ['a template', { format: '{{.Name}}:{{if .Good}}+{{end}}' }, ['one:+', 'other:']],
  ['a template goes before ids', { format: '{{.Name}}', quiet: true }, ['one', 'other']],
  ['a table of one\'s own', { format: 'table {{.Name}}\\t{{upper .ID}}\\t{{.Label "a.team"}}' },
    ['NAME    THING ID   TEAM', 'one     ABC', 'other   ABZ']],
  ['labels', { format: '{{.Label "team"}}{{.Label "zone"}}' }, ['blue1', 'red']],
]
for (const [name, options, lines] of formats) {
  test(`list: ${name}`, t => t.deepEqual(text(options).split('\n'), lines))
}

test('list: nothing is cut when that is asked for', t => {
  t.is(text({ quiet: true }, THINGS, true), 'abcdef\nabzzzz')
})

test('list: without things there is the heading, or nothing', t => {
  t.is(text({}, []), 'THING ID   NAME')
  t.is(text({ format: 'json' }, []), '')
  t.is(text({ format: 'table {{.Good}}' }, []), 'GOOD')
  t.is(text({ format: '{{.Name}}' }, []), '')
})

for (const format of ['{{.Nam}}', 'table {{.Nam}}']) {
  test(`list: an unknown field is refused, without things, too: ${format}`, t => {
    for (const things of [THINGS, []]) {
      const expected = { instanceOf: UsageError, message: /no field \.Nam/ }
      t.throws(() => text({ format }, things), expected)
    }
  })
}

const filters: [words: string[], names: string[]][] = [
  [[], ['one', 'other']],
  [['id=ab'], ['one', 'other']],
  [['id=abc'], ['one']],
  [['name=the'], ['other']],
  [['kind=good', 'kind=bad'], ['one', 'other']],
  [['kind=good', 'name=other'], []],
  [['label=team'], ['one', 'other']],
  [['label=team=blue'], ['one']],
  [['label=team', 'label=zone'], ['one']],
  [['label=constructor'], []],
]
for (const [words, names] of filters) {
  test(`filters: ${words.join(' ')}`, t =>
    t.deepEqual(filtered(LISTING, THINGS, words).map(({ name }) => name), names))
}

const refused: [word: string, line: RegExp][] = [
  ['nme=x', /there is no filter "nme"; there are: id, name, kind, label$/],
  ['constructor=x', /there is no filter "constructor"/],
  ['name', /--filter "name": write KEY=VALUE/],
  ['kind=ugly', /kind is one of: good, bad/],
]
for (const [word, line] of refused) {
  test(`a wrong filter: ${word}`, t => {
    t.throws(() => filtered(LISTING, [], [word]), { instanceOf: UsageError, message: line })
  })
}
