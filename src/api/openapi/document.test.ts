// docs/openapi.json against the server: the same routes, the same shapes, and what the server
// answers over its socket fits what the file says of it.
import test from 'ava'
import { Validator } from '@seriousme/openapi-schema-validator'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { z } from 'zod'
import { makeClient } from '../client.ts'
import { serveFake, type Served } from '../control.test-kit.ts'
import { BODY_OCTETS_MAX } from '../http.ts'
import { fakeTask } from '../service.test-kit.ts'
import {
  answerMisfit, bodyMisfit, file, type Heard, type Json, operations,
} from './answers.test-kit.ts'
import { makeDocument, type Route, routesOfServer, taken } from './document.ts'

const { version } = JSON.parse(readFileSync(
  new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }

test('the file is what scripts/openapi makes of the server', t => {
  t.deepEqual(file, JSON.parse(JSON.stringify(makeDocument(version))),
    'run scripts/openapi and commit docs/openapi.json')
})

test('the file is OpenAPI 3.1', async t => {
  const result = await new Validator().validate(structuredClone(file) as Json)
  t.deepEqual(result, { valid: true })
})

test('every route of the server is in the file, and none besides', t => {
  const served = routesOfServer().map(({ method, path }) => `${method} ${path}`)
  t.deepEqual([...operations.keys()].sort(), served.sort())
})

test('a route that nobody described, and a description that nobody serves, are told', t => {
  const routes = routesOfServer()
  const strange: Route = { ...routes[0]!, path: '/v1/strange' }
  t.throws(() => makeDocument(version, [...routes, strange]),
    { message: 'GET /v1/strange is served and not described' })
  t.throws(() => makeDocument(version, routes.slice(1)),
    { message: 'described and not served: GET /v1/status' })
})

test('bodies and queries of the file are those that the server checks', t => {
  for (const { method, path, body, query } of routesOfServer()) {
    const { requestBody, parameters } = operations.get(`${method} ${path}`)!
    const told = requestBody?.content['application/json']!.schema
    t.deepEqual(told, body === undefined ? undefined : taken(body), path)
    const asked = parameters.filter(one => one.in === 'query').map(({ name }) => name)
    t.deepEqual(asked, query instanceof z.ZodObject ? Object.keys(query.shape) : [], path)
  }
})

test('every operation is a function of the client of the same name', t => {
  const client = makeClient() as Record<string, unknown>
  const names = [...operations.values()].map(({ operationId }) => operationId)
  t.deepEqual(names.filter(name => typeof client[name] !== 'function'), [])
  t.is(new Set(names).size, names.length)
})

test('docs/API.md lists the routes in the words of the file', t => {
  const text = readFileSync(new URL('../../../docs/API.md', import.meta.url), 'utf8')
  const [, list = ''] = text.split('## All routes')
  const listed = list.split('\n').filter(line => /^\| `[A-Z]+ /.test(line)).sort()
  const rows = [...operations].map(([key, { summary, parameters }]) => {
    const query = parameters.filter(one => one.in === 'query').map(({ name }) => `\`${name}\``)
    return `| \`${key.replaceAll(/:(\w+)/g, '{$1}')}\` | ${summary} | ${query.join(', ')} |`
  })
  t.deepEqual(listed, rows.sort())
})

// ---- what the server answers ----

function ask(socketPath: string, method: string, path: string, body = ''): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => (text += part)).on('error', reject)
      response.on('end', () => resolve({
        status: response.statusCode ?? 0, text,
        type: (response.headers['content-type'] ?? '').replace(/;.*/, ''),
      }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

const NETWORK = { name: 'mynet', labels: { a: 'b' } }
const SERVICE = { name: 'web', command: ['whoami'], networks: [{ network: 'mynet' }],
  ports: [{ target: 80 }] }

/** In an order in which each finds what it needs: route, its words, and a body. */
const walk: [route: string, words: string[], body?: Json][] = [
  ['GET /v1/cluster', []],
  ['POST /v1/cluster/init', [], { name: 'lab' }],
  ['GET /v1/cluster', []],
  ['GET /v1/cluster/tokens/:role', ['worker']],
  ['POST /v1/cluster/tokens/:role/rotate', ['manager'], {}],
  ['POST /v1/cluster/keys/rotate', [], {}],
  ['GET /v1/cluster/tables', []],
  ['GET /v1/cluster/tables/:table', ['network']],
  ['GET /v1/cluster/watch', []],
  ['GET /v1/nodes', []],
  ['GET /v1/nodes/:node', ['node1']],
  ['GET /v1/nodes/:node/tasks', ['node1']],
  ['POST /v1/nodes/:node/update', ['node1'], { availability: 'drain', labelsAdd: { a: 'b' } }],
  ['GET /v1/nodes/:node/ping', ['node2', '?count=3']],
  ['DELETE /v1/nodes/:node', ['node2', '?force=true']],
  ['GET /v1/peers', []],
  ['POST /v1/networks', [], NETWORK],
  ['GET /v1/networks', []],
  ['GET /v1/networks/:network', ['mynet']],
  ['GET /v1/networks/:network/services', ['mynet']],
  ['POST /v1/vteps', [], { address: '192.168.56.12' }],
  ['GET /v1/vteps', []],
  ['DELETE /v1/vteps/:address', ['192.168.56.12', '?network=mynet']],
  ['GET /v1/fdb', []],
  ['POST /v1/tasks', [], { name: 'one', networks: [{ network: 'mynet' }], command: ['x'] }],
  ['GET /v1/tasks', []],
  ['GET /v1/tasks/:task', ['one']],
  ['POST /v1/networks/:network/connect', ['mynet'], { task: 'one', address: '10.0.1.9' }],
  ['POST /v1/networks/:network/disconnect', ['mynet'], { task: 'one' }],
  ['GET /v1/status', []],
  ['POST /v1/tasks/:task/stop', ['one'], { graceMs: 0 }],
  ['GET /v1/tasks/:task/wait', ['one']],
  ['GET /v1/tasks/:task/logs', ['one', '?tail=1']],
  ['POST /v1/tasks/:task/kill', ['one'], { signal: 'hup' }],
  ['DELETE /v1/tasks/:task', ['one', '?force=1']],
  ['POST /v1/services', [], SERVICE],
  ['GET /v1/services', []],
  ['GET /v1/services/:service', ['web']],
  ['GET /v1/services/:service/tasks', ['web']],
  ['POST /v1/services/:service/update', ['web'], { replicas: 3, update: { order: 'start-first' } }],
  ['POST /v1/services/:service/rollback', ['web'], {}],
  ['GET /v1/services/:service/logs', ['web', '?follow=false&tail=9']],
  ['DELETE /v1/services/:service', ['web']],
  ['GET /v1/lb/services', []],
  ['GET /v1/lb/rules', []],
  ['GET /v1/lb/flows', ['?service=web&limit=10']],
  ['GET /v1/dns/names', ['?task=one']],
  ['GET /v1/dns/why', ['?name=web&type=A']],
  ['POST /v1/networks/prune', [], { labels: ['a=b'] }],
  ['DELETE /v1/networks/:network', ['mynet']],
  ['POST /v1/cluster/leave', [], { force: true }],
  ['POST /v1/cluster/join', [], { token: 'TMTKN-1-a-b', seeds: ['192.168.56.11'] }],
]

/** "GET /v1/tasks/:task" and ["web", "?force=1"] -> "/v1/tasks/web?force=1" */
function pathOf(route: string, words: readonly string[]): string {
  const left = [...words]
  const path = route.replace(/^\S+ /, '').replaceAll(/:\w+/g, () => left.shift() ?? '')
  return path + left.join('')
}

async function makeReady({ services, logPath }: Served): Promise<void> {
  await writeFile(logPath, 'one\ntwo\n')
  services.logs.push({ note: 'node3 is away' },
    { task: 't', name: 'web.1', node: 'node1', line: 'hello' })
  services.pending.push('node3 is down')
}

test('what the server answers fits the file, route by route', async t => {
  const served = await serveFake()
  t.teardown(served.close)
  await makeReady(served)
  for (const [route, words, body] of walk) {
    if (body !== undefined) t.is(bodyMisfit(route, body), '', route)
    const [method = ''] = route.split(' ')
    const text = body === undefined ? '' : JSON.stringify(body)
    const heard = await ask(served.socketPath, method, pathOf(route, words), text)
    t.is(answerMisfit(route, heard), '', `${route}: ${heard.text}`)
    t.true(heard.status < 300, route)
    if (route === 'POST /v1/services') {
      const [web] = served.services.services
      web!.update = { generation: 2, state: 'paused', finishedAt: null, message: 'it failed',
        startedAt: web!.createdAt }
      web!.previous = web!.spec
      served.services.tasks.push(fakeTask(web!, '1', { ports: web!.spec.ports }),
        fakeTask(web!, '2', { node: null, state: 'pending', error: 'no node', container: null }))
    }
  }
  t.deepEqual([...operations.keys()].filter(key => !walk.some(([route]) => route === key)), [])
})

test('a body with an unknown field is refused by the file and by the server', async t => {
  const { socketPath, close } = await serveFake()
  t.teardown(close)
  for (const [route, words, body] of walk.filter(([, , one]) => one !== undefined)) {
    const wrong = { ...body, strange: 1 }
    t.regex(bodyMisfit(route, wrong), /additional properties/, route)
    const [method = ''] = route.split(' ')
    const heard = await ask(socketPath, method, pathOf(route, words), JSON.stringify(wrong))
    t.is(heard.status, 400, route)
    t.regex(heard.text, /strange/, route)
  }
})

const refusals: [what: string, route: string, words: string[], body: string, status: number][] = [
  ['a body that does not fit', 'POST /v1/networks', [], '{"name":"-"}', 400],
  ['a network that is not there', 'GET /v1/networks/:network', ['none'], '', 404],
  ['to leave a cluster in none', 'POST /v1/cluster/leave', [], '{}', 409],
  ['an oversized body', 'POST /v1/tasks', [], ' '.repeat(BODY_OCTETS_MAX + 1), 413],
  ['what nobody foresaw', 'POST /v1/networks', [], '{"name":"broken"}', 500],
]
for (const [what, route, words, body, status] of refusals) {
  test(`a refusal fits the file: ${what}`, async t => {
    const { socketPath, close } = await serveFake()
    t.teardown(close)
    const [method = ''] = route.split(' ')
    const heard = await ask(socketPath, method, pathOf(route, words), body)
    t.is(heard.status, status)
    t.is(answerMisfit(route, heard), '', heard.text)
  })
}
