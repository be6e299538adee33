// The routes of the API: what is asked, checked by schema.ts, and which ability of the daemon
// answers it. One line a route; nothing is decided here.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import findMyWay from 'find-my-way'
import type { Control } from '../daemon/views.ts'
import { NotFoundError } from '../base/errors.ts'
import { addCluster } from './cluster-routes.ts'
import { addDns } from './dns-routes.ts'
import { MethodError, answer, check } from './http.ts'
import { addLb } from './lb-routes.ts'
import { addNetworks } from './network-routes.ts'
import { type Handler, letWait, METHODS, type On, plain, withBody, withQuery } from './route.ts'
import {
  nothing, taskKill, taskLogs, taskRemove, taskRun, taskStop, vtepAdd, vtepOfNetwork, vtepRemove,
} from './schema.ts'
import { addServices } from './service-routes.ts'
import { readTaskLog } from '../daemon/task-log.ts'

/** Longest network, task or VTEP in a path: ids have 64 digits. */
const PARAM_LENGTH_MAX = 128

export type Routes = {
  /** @throws what the daemon throws, UsageError, NotFoundError: nothing has been answered then */
  handle(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void>
}
export function makeRoutes(control: Control): Routes {
  const router = findMyWay({ maxParamLength: PARAM_LENGTH_MAX })
  addRoutes((method, path, handler) => {
    // The router is only asked to find; the handler is then called with the whole exchange.
    router.on(method, path, () => {}, handler)
  }, control)
  return { handle: (request, response, signal) => dispatch(router, request, response, signal) }
}

/** All routes of the API. */
export function addRoutes(on: On, control: Control): void {
  on('GET', '/v1/status', plain(() => control.status()))
  addNetworks(on, control)
  addTables(on, control)
  addTasks(on, control)
  addTaskStreams(on, control)
  addCluster(on, control.cluster)
  addServices(on, control.services)
  addLb(on, control.lb)
  addDns(on, control.dns)
}

async function dispatch(
  router: findMyWay.Instance<findMyWay.HTTPVersion.V1>,
  request: IncomingMessage, response: ServerResponse, signal: AbortSignal,
): Promise<void> {
  const method = (request.method ?? 'GET') as typeof METHODS[number]
  const url = request.url ?? '/'
  const found = router.find(method, url)
  if (found === null) {
    const path = url.split('?')[0]
    const others = METHODS.filter(other => other !== method && router.find(other, url) !== null)
    if (others.length === 0) throw new NotFoundError(`the API has no ${method} ${path}`)
    response.setHeader('allow', others.join(', '))
    throw new MethodError(`${path} answers ${others.join(' and ')}, not ${method}`)
  }
  const { searchParams: query } = found
  const params = found.params as Record<string, string>
  await (found.store as Handler).run({ request, response, params, query, signal })
}

function addTables(on: On, control: Control): void {
  on('GET', '/v1/vteps', plain(() => control.vteps()))
  on('POST', '/v1/vteps', withBody(vtepAdd, async (spec, { response }) => {
    answer(response, 201, await control.addVtep(spec))
  }))
  on('DELETE', '/v1/vteps/:address', withQuery(vtepOfNetwork, async (query, exchange) => {
    await control.removeVtep(check(vtepRemove, { ...query, address: exchange.params.address }))
    answer(exchange.response, 204)
  }))
  on('GET', '/v1/fdb', plain(() => control.learned()))
}

function addTasks(on: On, control: Control): void {
  on('GET', '/v1/tasks', plain(() => control.tasks()))
  on('POST', '/v1/tasks', withBody(taskRun, async (spec, exchange) => {
    letWait(exchange)
    answer(exchange.response, 201, await control.runTask(spec))
  }))
  on('GET', '/v1/tasks/:task', plain(({ task }) => control.task(task)))
  on('DELETE', '/v1/tasks/:task', withQuery(taskRemove, async ({ force }, exchange) => {
    await control.removeTask(exchange.params.task ?? '', force)
    answer(exchange.response, 204)
  }))
  on('POST', '/v1/tasks/:task/stop', withBody(taskStop, async ({ graceMs }, exchange) => {
    letWait(exchange)
    answer(exchange.response, 200, await control.stopTask(exchange.params.task ?? '', graceMs))
  }))
  on('POST', '/v1/tasks/:task/kill', withBody(taskKill, async ({ signal }, exchange) => {
    await control.killTask(exchange.params.task ?? '', signal)
    answer(exchange.response, 204)
  }))
}

function addTaskStreams(on: On, control: Control): void {
  on('GET', '/v1/tasks/:task/wait', withQuery(nothing, async (_, exchange) => {
    letWait(exchange)
    const view = await control.waitTask(exchange.params.task ?? '', exchange.signal)
    answer(exchange.response, 200, view)
  }))
  on('GET', '/v1/tasks/:task/logs', withQuery(taskLogs, async ({ follow, tail }, exchange) => {
    const task = exchange.params.task ?? ''
    const path = control.taskLogPath(task)
    letWait(exchange)
    // The wait ends with the exchange: for whoever only reads what is there it is not begun.
    const over = new AbortController()
    const signal = AbortSignal.any([exchange.signal, over.signal])
    const ended = follow ? control.waitTask(task, signal) : Promise.resolve()
    const log = readTaskLog({ path, follow, tailLines: tail, ended, signal: exchange.signal })
    exchange.response.writeHead(200, { 'content-type': 'application/octet-stream' })
    exchange.response.flushHeaders()
    try {
      await pipeline(Readable.from(log), exchange.response)
    } finally {
      over.abort()
    }
  }))
}
