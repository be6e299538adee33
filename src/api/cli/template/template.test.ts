// Templates give what Go's text/template gives, and say what is wrong with those that are wrong.
import test from 'ava'
import { UsageError } from '../../../base/errors.ts'
import { NESTING_MAX } from './parse.ts'
import { compileTemplate } from './template.ts'
import { TEMPLATE_LENGTH_MAX } from './tokens.ts'

const DATA = {
  Name: 'my net', ID: 'a1b2', Empty: '', None: null, Yes: true, No: false, Count: 3,
  Labels: { b: '2', a: '1' }, List: ['x', 'y'], IPAM: { Config: [{ Subnet: '10.0.1.0/24' }] },
  Label: (key: unknown) => `label of ${key}`,
}

const rows: [name: string, source: string, text: string][] = [
  ['no action', 'plain', 'plain'],
  ['fields', '{{.Name}} ({{ .ID }})', 'my net (a1b2)'],
  ['escapes of a shell in the text', '{{.ID}}\\t{{.ID}}\\n', 'a1b2\ta1b2\n'],
  ['none in quotes', '{{"a\\tb"}}{{`a\\tb`}}', 'a\tba\\tb'],
  ['a deeper field', '{{(index .IPAM.Config 0).Subnet}}', '10.0.1.0/24'],
  ['json', '{{json .IPAM}} {{json .None}}', '{"Config":[{"Subnet":"10.0.1.0/24"}]} null'],
  ['the dot itself', '{{with .Labels}}{{json .}}{{end}}', '{"b":"2","a":"1"}'],
  ['lists and maps as Go prints them', '{{.List}} {{.Labels}}', '[x y] map[a:1 b:2]'],
  ['null', '{{.None}}', '<nil>'],
  ['a key that a map lacks', '{{.Labels.none}}', '<no value>'],
  ['a key by index', '{{index .Labels "a"}}{{index .Labels "none"}}', '1'],
  ['a method', '{{.Label "team"}}', 'label of team'],
  ['a pipe into a method', '{{"team" | .Label}}', 'label of team'],
  ['pipes', '{{.Name | title | printf "%q"}}', '"My Net"'],
  ['join and split', '{{join .List ", "}} {{index (split .Name " ") 1}}', 'x, y net'],
  ['lower, upper', '{{upper .Name}} {{lower "AB"}}', 'MY NET ab'],
  ['pad, truncate', '{{pad .ID 1 2}}|{{truncate .ID 2}}|{{pad "" 1 1}}', ' a1b2  |a1|'],
  ['println', '{{println .ID .Count}}', 'a1b2 3\n'],
  ['print puts no space beside text', '{{print 1 2 "a" 3}}', '1 2a3'],
  ['printf with widths', '{{printf "%-5s|%4d|%%" .ID 7}}', 'a1b2 |   7|%'],
  ['if', '{{if .Yes}}y{{else}}n{{end}}{{if .No}}y{{else}}n{{end}}{{if .Empty}}y{{end}}', 'yn'],
  ['else if', '{{if .No}}1{{else if .Yes}}2{{else}}3{{end}}', '2'],
  ['and, or, not', '{{if and .Yes (not .No)}}a{{end}}{{or .Empty "b"}}', 'ab'],
  ['comparisons', '{{eq .ID "x" "a1b2"}} {{ne .Count 3}} {{lt 1 2}} {{ge "b" "a"}}',
    'true false true true'],
  ['len', '{{len .List}}{{len .Labels}}{{len .ID}}', '224'],
  ['range over a list', '{{range .List}}<{{.}}>{{end}}', '<x><y>'],
  ['range with variables', '{{range $k, $v := .Labels}}{{$k}}={{$v}} {{end}}', 'a=1 b=2 '],
  ['range with one variable', '{{range $v := .List}}{{$v}}{{$.Count}}{{end}}', 'x3y3'],
  ['range over nothing', '{{range .Empty}}x{{else}}none{{end}}', 'none'],
  ['range, deeper', '{{range .IPAM.Config}}{{.Subnet}}{{end}}', '10.0.1.0/24'],
  ['with', '{{with .IPAM}}{{len .Config}}{{end}}{{with .Empty}}x{{else}}y{{end}}', '1y'],
  ['a variable', '{{$x := .ID}}{{if $x}}{{$x}}{{end}}', 'a1b2'],
  ['comments', 'a{{/* }} */}}b', 'ab'],
  ['spaces are trimmed', 'a \n{{- .ID -}}\n b{{- /* no */ -}} c', 'aa1b2bc'],
  ['an end in quotes', '{{"}}"}}', '}}'],
  ['constants', '{{true}} {{-1}} {{1.5}}', 'true -1 1.5'],
]
for (const [name, source, text] of rows) {
  test(`template: ${name}`, t => t.is(compileTemplate(source)(DATA), text))
}

const wrong: [name: string, source: string, line: RegExp][] = [
  ['an unknown field names the others', '{{.Nme}}', /no field \.Nme; there are: \.Name, \.ID, /],
  ['a field of a prototype', '{{.constructor}}', /there is no field \.constructor/],
  ['an unknown deeper field', '{{.IPAM.Conf}}', /no field \.IPAM\.Conf; there are: \.Config$/],
  ['a field of a text', '{{.Name.x}}', /\.Name is my net and has no field x/],
  ['a field of null', '{{.None.x}}', /\.None is empty and has no field x/],
  ['a field of a list', '{{.List.x}}', /\.List is a list and has no field x/],
  ['an unknown function', '{{jsn .ID}}', /there is no function "jsn"; there are: json, join/],
  ['a function of a prototype', '{{toString .ID}}', /there is no function "toString"/],
  ['a value with arguments', '{{.ID 1}}', /\.ID is a value and takes no arguments/],
  ['no end of an action', 'a{{.ID', /a "\{\{" has no "\}\}"/],
  ['no end of a block', '{{if .ID}}a', /"\{\{if …\}\}" has no "\{\{end\}\}"/],
  ['no end after else', '{{if .ID}}a{{else}}b', /has no "\{\{end\}\}" after its "\{\{else\}\}"/],
  ['an end too many', 'a{{end}}', /"\{\{end\}\}" stands outside of any block/],
  ['an empty action', '{{}}', /"\{\{\}\}" says nothing/],
  ['an open bracket', '{{(len .ID}}', /is not understood/],
  ['strange characters', '{{.ID ^ 2}}', /"\^ 2\}\}" is not understood/],
  ['no variable', '{{$x}}', /there is no variable \$x/],
  ['a list is needed', '{{join .ID ","}}', /join takes a list, not a1b2/],
  ['an index out of range', '{{index .List 2}}', /index 2 is out of a list of 2/],
  ['a verb of printf', '{{printf "%x" 1}}', /printf knows .* not %x/],
  ['two kinds compared', '{{lt 1 "a"}}', /lt compares two numbers or two texts/],
  ['too long', 'x'.repeat(TEMPLATE_LENGTH_MAX + 1), /at most 16384 characters/],
  ['too many brackets', `{{${'('.repeat(NESTING_MAX + 1)}}}`, /at most 32 blocks or brackets deep/],
  ['too many blocks', '{{if .ID}}'.repeat(NESTING_MAX + 2), /at most 32 blocks or brackets deep/],
]
for (const [name, source, line] of wrong) {
  test(`a wrong template: ${name}`, t => {
    const error = t.throws(() => compileTemplate(source)(DATA), { instanceOf: UsageError })
    t.regex(error?.message ?? '', line)
  })
}
