import test from 'ava'
import { loadConfig, needsRestart, parseConfig } from './config.ts'

test('an empty file gives the defaults', t => {
  const config = parseConfig('', 'x.yaml')
  t.is(config.underlay.port, 4789)
  t.is(config.underlay.ttl, 64)
  t.is(config.paths.socket, '/run/tapmesh/tapmesh.sock')
  t.is(config.paths.pidFile, '/run/tapmesh/tapmesh.pid')
  t.true(config.node.name.length > 0)
})

test('a part of a section leaves the rest at its defaults', t => {
  const config = parseConfig('underlay: {address: 192.168.56.11}\nnode: {name: node1}', 'x.yaml')
  t.is(config.underlay.address, '192.168.56.11')
  t.is(config.underlay.port, 4789)
  t.is(config.node.name, 'node1')
})

test('every fault is reported at once, with file and path', t => {
  const text = 'underlay: {port: 99999, address: 10.0.0.300}\nlog: {level: loud}\nextra: 1'
  const error = t.throws(() => parseConfig(text, '/etc/x.yaml'), { code: 'TM_CONFIG' })
  for (const part of ['/etc/x.yaml', 'underlay.port', 'underlay.address', 'log.level', 'extra']) {
    t.true(error.message.includes(part), `${part} in: ${error.message}`)
  }
})

for (const text of ['a: [', '- 1', '"x"', 'node: 5', '&a [*a, *a]', 'a: b: c']) {
  test(`refused: ${text}`, t => {
    const error = t.throws(() => parseConfig(text, 'x.yaml'), { code: 'TM_CONFIG' })
    t.true(error.message.startsWith('x.yaml: '))
    t.false(error.message.includes('\n'))
  })
}

test('the way out has a subnet that a gateway and tasks fit into', t => {
  t.deepEqual(parseConfig('', 'x').wayOut, { enabled: true })
  t.deepEqual(parseConfig('wayOut: {subnet: 172.20.0.0/16}', 'x').wayOut,
    { enabled: true, subnet: '172.20.0.0/16' })
  for (const subnet of ['172.20.0.1/16', '172.20.0.0/30', 'x']) {
    t.throws(() => parseConfig(`wayOut: {subnet: "${subnet}"}`, 'x'),
      { code: 'TM_CONFIG', message: /wayOut\.subnet: not a subnet such as/ })
  }
})

test('outer source ports: four for each packet worker, at most 16, or as many as are told', t => {
  const sourcePorts = (text: string) => parseConfig(text, 'x').underlay.sourcePorts
  t.deepEqual([1, 2, 3, 4, 8].map(workers => sourcePorts(`plane: {workers: ${workers}}`)),
    [4, 8, 16, 16, 16])
  for (const ports of [1, 2, 4, 8, 16]) {
    t.is(sourcePorts(`underlay: {sourcePorts: ${ports}}`), ports)
  }
  t.is(sourcePorts('{underlay: {sourcePorts: 4}, plane: {workers: 4}}'), 4)
})

for (const [text, message] of [
  ['underlay: {sourcePorts: 3}', 'x.yaml: underlay.sourcePorts: not one of 1, 2, 4, 8, 16'],
  ['underlay: {sourcePorts: 32}', 'x.yaml: underlay.sourcePorts: not one of 1, 2, 4, 8, 16'],
  ['{underlay: {sourcePorts: 2}, plane: {workers: 4}}',
    'x.yaml: underlay.sourcePorts: 2 are too few for plane.workers: 4; each needs one'],
] as const) {
  test(`refused: ${text}`, t => {
    t.throws(() => parseConfig(text, 'x.yaml'), { code: 'TM_CONFIG', message })
  })
}

test('a file that was named must be there', t => {
  const error = t.throws(() => loadConfig('/nonexistent/tapmesh.yaml'), { code: 'TM_CONFIG' })
  t.true(error.message.includes('/nonexistent/tapmesh.yaml'))
  t.true(error.message.includes('ENOENT'))
})

test('a reload says what waits for a restart', t => {
  const before = parseConfig('', 'x')
  const after = parseConfig('underlay: {port: 4790}\nlog: {level: debug}', 'x')
  t.deepEqual(needsRestart(before, after), ['underlay.port'])
  t.deepEqual(needsRestart(before, before), [])
})
