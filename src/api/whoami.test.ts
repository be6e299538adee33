import test from 'ava'
import { hostname } from 'node:os'
import { headerLines, hostPortText, startWhoami } from './whoami.ts'

const hosts: [address: string, port: number, text: string][] = [
  ['::ffff:10.0.0.2', 36828, '10.0.0.2:36828'],
  ['10.0.0.2', 1, '10.0.0.2:1'],
  ['fe80::42:aff:fe00:102', 80, '[fe80::42:aff:fe00:102]:80'],
  ['::1', 80, '[::1]:80'],
]
for (const [address, port, text] of hosts) {
  test(`${address} is written ${text}`, t => t.is(hostPortText(address, port), text))
}

test('headers: Host, User-Agent, the rest by name', t => {
  const raw = ['x-forwarded-for', '1.2.3.4', 'ACCEPT', '*/*', 'user-agent', 'curl', 'host', 'a:80']
  t.deepEqual(headerLines(raw),
    ['Host: a:80', 'User-Agent: curl', 'Accept: */*', 'X-Forwarded-For: 1.2.3.4'])
})

test('the answer has the words of containous/whoami', async t => {
  const { port, close } = await startWhoami(0)
  t.teardown(close)
  const response = await fetch(`http://127.0.0.1:${port}/a?b=c`, { headers: { 'x-one': '1' } })
  t.regex(String(response.headers.get('content-type')), /^text\/plain/)
  const lines = (await response.text()).split('\n')
  t.is(lines[0], `Hostname: ${hostname()}`)
  t.is(lines[1], 'IP: 127.0.0.1')
  const remote = lines.findIndex(line => line.startsWith('RemoteAddr: '))
  t.true(lines.slice(1, remote).every(line => /^IP: [0-9a-f.:]+$/.test(line)))
  t.regex(lines[remote] ?? '', /^RemoteAddr: 127\.0\.0\.1:\d+$/)
  t.is(lines[remote + 1], 'GET /a?b=c HTTP/1.1')
  t.is(lines[remote + 2], `Host: 127.0.0.1:${port}`)
  t.true(lines.includes('X-One: 1'))
  t.deepEqual(lines.slice(-2), ['', ''])
})

test('/health answers 200 and nothing', async t => {
  const { port, close } = await startWhoami(0)
  t.teardown(close)
  const response = await fetch(`http://127.0.0.1:${port}/health`)
  t.is(response.status, 200)
  t.is(await response.text(), '')
})
