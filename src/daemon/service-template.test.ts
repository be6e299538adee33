// Places in the words of a service are filled for each task; others are refused by name.
import test from 'ava'
import { fillTemplate } from './service-template.ts'

const VALUES = { '.Task.Slot': '3', '.Node.Hostname': 'n$1', '.Service.Name': 'web' }

const rows: [text: string, filled: string][] = [
  ['', ''],
  ['plain', 'plain'],
  ['{{.Task.Slot}}', '3'],
  ['{{ .Service.Name }}-{{.Task.Slot}}', 'web-3'],
  ['on {{.Node.Hostname}}', 'on n$1'],
  ['{{', '{{'],
  ['{.Task.Slot}', '{.Task.Slot}'],
]
for (const [text, filled] of rows) {
  test(`filled: "${text}"`, t => t.is(fillTemplate(text, VALUES), filled))
}

for (const text of ['{{.Task.Other}}', '{{}}', '{{toString}}', '{{.Task.Slot}}{{x}}']) {
  test(`refused: "${text}"`, t => {
    t.throws(() => fillTemplate(text, VALUES), {
      message: /is not known here; use one of \{\{\.Task\.Slot\}\}, \{\{\.Node\.Hostname\}\}/,
    })
  })
}
