// The library export "./client": everything that can be asked of a daemon over its socket, typed,
// bounded in time, with the errors that the daemon itself threw.
import type { IncomingMessage } from 'node:http'
import {
  AbsentError, ApiError, ConflictError, LimitError, NotFoundError, TapmeshError, UsageError,
} from '../base/errors.ts'
import type {
  LearnedView, NetworkServiceView, NetworkView, StatusView, TaskView, VtepView, WaitView,
} from '../daemon/views.ts'
import { makeClusterClient } from './cluster-client.ts'
import { makeDnsClient } from './dns-client.ts'
import { makeLbClient } from './lb-client.ts'
import { request as httpRequest } from './node-http.ts'
import { type Ask, GRACE_MS_MAX, part, query } from './question.ts'
import type {
  ErrorView, NetworkConnect, NetworkCreate, NetworkPrune, TaskRun, VtepAdd,
} from './schema.ts'
import { type LogOptions, makeServiceClient } from './service-client.ts'

export type {
  ClusterChangeView, ClusterView, NodeView, PeerView, PingView, TableRowView, TokenView,
} from '../daemon/cluster-views.ts'

export type {
  EndpointView, LearnedView, NetworkServiceView, NetworkView, StatusView, TaskState, TaskView,
  VtepView, WaitView,
} from '../daemon/views.ts'
export type {
  BackendView, BalancedView, FlowsView, FlowView, LbRuleView,
} from '../daemon/lb-views.ts'
export type { DnsNameView, DnsWhyView } from '../daemon/dns-views.ts'
export type { TableView } from './cluster-client.ts'
export type {
  PublishedPort, ServiceChanged, ServiceLogLine, ServiceSpec, ServiceTaskView, ServiceUpdateView,
  ServiceView, UpdatePolicy,
} from '../daemon/service-views.ts'
export type {
  NetworkConnect, NetworkCreate, NetworkPrune, NodeUpdate, TaskRun, VtepAdd,
} from './schema.ts'
export type { LogOptions } from './service-client.ts'
export type { ServiceCreate, ServiceUpdate } from './service-schema.ts'

export const DEFAULT_SOCKET_PATH = '/run/tapmesh/tapmesh.sock'
export const ANSWER_TIMEOUT_MS = 30_000
const ANSWER_OCTETS_MAX = 256 << 20

export type ClientOptions = { socketPath?: string; timeoutMs?: number }
export type Client = ReturnType<typeof makeClient>

/**
 * A client of the daemon at `socketPath`; it holds no connection between two questions. Every
 * function throws ApiError when the daemon does not answer within `timeoutMs`, and otherwise the
 * error that the daemon gave (NotFoundError, ConflictError, …).
 */
export function makeClient(options: ClientOptions = {}) {
  const { socketPath = DEFAULT_SOCKET_PATH, timeoutMs = ANSWER_TIMEOUT_MS } = options
  const ask = <T>(question: Ask) => askJson(socketPath, { timeoutMs, ...question }) as Promise<T>
  const get = <T>(path: string) => ask<T>({ method: 'GET', path })
  const post = <T>(path: string, body: unknown) => ask<T>({ method: 'POST', path, body })
  const remove = (path: string) => ask<void>({ method: 'DELETE', path })
  const stream = (path: string, signal?: AbortSignal) =>
    streamOf(socketPath, { method: 'GET', path, timeoutMs, signal })
  const asking = { ask, get, post, remove, stream, timeoutMs }
  return {
    socketPath,
    ...makeClusterClient(asking),
    ...makeServiceClient(asking),
    ...makeLbClient(asking),
    ...makeDnsClient(asking),
    status: () => get<StatusView>('/v1/status'),
    networks: () => get<NetworkView[]>('/v1/networks'),
    network: (which: string) => get<NetworkView>(`/v1/networks/${part(which)}`),
    createNetwork: (body: NetworkCreate) => post<NetworkView>('/v1/networks', body),
    removeNetwork: (which: string) => remove(`/v1/networks/${part(which)}`),
    networkServices: (which: string) =>
      get<NetworkServiceView[]>(`/v1/networks/${part(which)}/services`),
    connectTask: (network: string, body: NetworkConnect) =>
      post<TaskView>(`/v1/networks/${part(network)}/connect`, body),
    disconnectTask: (network: string, task: string) =>
      post<TaskView>(`/v1/networks/${part(network)}/disconnect`, { task }),
    /** Answers the names of those that are gone. */
    pruneNetworks: (body: NetworkPrune) => post<string[]>('/v1/networks/prune', body),
    vteps: () => get<VtepView[]>('/v1/vteps'),
    addVtep: (body: VtepAdd) => post<VtepView>('/v1/vteps', body),
    removeVtep: ({ address, network }: VtepAdd) =>
      remove(`/v1/vteps/${part(address)}${query({ network })}`),
    learned: () => get<LearnedView[]>('/v1/fdb'),
    tasks: () => get<TaskView[]>('/v1/tasks'),
    task: (which: string) => get<TaskView>(`/v1/tasks/${part(which)}`),
    runTask: (body: TaskRun) => post<TaskView>('/v1/tasks', body),
    removeTask: (which: string, force = false) =>
      remove(`/v1/tasks/${part(which)}${query({ force: force || undefined })}`),
    killTask: (which: string, signal = 'SIGKILL') =>
      post<void>(`/v1/tasks/${part(which)}/kill`, { signal }),
    /** TERM, then KILL after `graceMs`, or the task's own; answers when the processes are gone. */
    stopTask: (which: string, graceMs?: number) => ask<TaskView>({
      method: 'POST', path: `/v1/tasks/${part(which)}/stop`, body: { graceMs },
      timeoutMs: timeoutMs + (graceMs ?? GRACE_MS_MAX),
    }),
    /** Answers when the process has ended, however long that takes. */
    waitTask: (which: string, signal?: AbortSignal) => ask<WaitView>({
      method: 'GET', path: `/v1/tasks/${part(which)}/wait`, timeoutMs: 0, signal,
    }),
    /** The output of a task; with `follow` until its process has ended. */
    taskLog: (which: string, { follow, tail, signal }: LogOptions = {}) => streamOf(socketPath, {
      method: 'GET', path: `/v1/tasks/${part(which)}/logs${query({ follow, tail })}`,
      timeoutMs, signal,
    }),
  }
}

async function askJson(socketPath: string, question: Ask): Promise<unknown> {
  const response = await send(socketPath, question)
  const text = await textOf(socketPath, response)
  if (response.statusCode === 204) return undefined
  return parsed(socketPath, text)
}

async function* streamOf(socketPath: string, question: Ask): AsyncGenerator<Buffer, void> {
  const response = await send(socketPath, question)
  response.socket.setTimeout(0)
  try {
    yield* response as AsyncIterable<Buffer>
  } catch (error) {
    throw question.signal?.aborted === true ? error : unanswered(socketPath, error)
  } finally {
    response.destroy()
  }
}

/** Sends one question and hands over the answer at its first octet; refusals are thrown. */
async function send(socketPath: string, question: Ask): Promise<IncomingMessage> {
  const response = await begin(socketPath, question)
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return response
  const view = parsed(socketPath, await textOf(socketPath, response)) as Partial<ErrorView>
  if (typeof view.error?.message !== 'string') throw strange(socketPath)
  throw errorOf(view as ErrorView)
}

function begin(socketPath: string, question: Ask): Promise<IncomingMessage> {
  const { method, path, body, timeoutMs = 0, signal } = question
  const text = body === undefined ? '' : JSON.stringify(body)
  const headers = {
    host: 'tapmesh',
    ...body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
  }
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ socketPath, method, path, headers, agent: false, signal })
    // An idle time-out on the connection: it covers the wait for the answer and a stalled body.
    asked.setTimeout(timeoutMs, () => asked.destroy(new ApiError(
      `the daemon on ${socketPath} did not answer within ${timeoutMs / 1000} s`, { socketPath })))
    asked.on('error', error => {
      reject(signal?.aborted === true ? error : unanswered(socketPath, error))
    })
    asked.on('response', resolve)
    asked.end(text)
  })
}

async function textOf(socketPath: string, response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let lengthOctets = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      lengthOctets += chunk.length
      if (lengthOctets > ANSWER_OCTETS_MAX) throw strange(socketPath)
      parts.push(chunk)
    }
  } catch (error) {
    throw unanswered(socketPath, error)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parsed(socketPath: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw strange(socketPath)
  }
}

function strange(socketPath: string): ApiError {
  return new ApiError(`what answers on ${socketPath} is not a tapmesh daemon of this version`,
    { socketPath })
}

function unanswered(socketPath: string, cause: unknown): TapmeshError {
  if (cause instanceof TapmeshError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const facts = { socketPath, errno: code }
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new ApiError(`no daemon answers on ${socketPath}; start it with: tapmesh daemon`,
      facts, cause)
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new ApiError(`no permission to use ${socketPath}; be root or a member of the group `
      + 'that owns it', facts, cause)
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return new ApiError(`the daemon on ${socketPath} closed the connection before its answer was `
      + 'complete; its log says why', facts, cause)
  }
  return new ApiError(`cannot ask the daemon on ${socketPath}: ${message}`, facts, cause)
}

/** The error that the daemon threw, as far as its code tells. */
function errorOf({ error: { code, message, facts } }: ErrorView): TapmeshError {
  const plain = facts as ConstructorParameters<typeof UsageError>[1]
  switch (code) {
    case 'TM_USAGE': return new UsageError(message, plain)
    case 'TM_NOT_FOUND': return new NotFoundError(message, plain)
    case 'TM_CONFLICT': return new ConflictError(message, plain)
    case 'TM_LIMIT': return new LimitError(message, plain)
    case 'TM_ABSENT': return new AbsentError(message, plain)
    default: return new TapmeshError(code, message, plain)
  }
}
