// One route of the API: what a handler gets, and the parts that nearly every handler needs.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { z } from 'zod'
import { answer, check, readJson } from './http.ts'
import { nothing } from './schema.ts'

export const METHODS = ['GET', 'POST', 'DELETE'] as const

/** One request on its way; `signal` fires when the client is gone or the server stops. */
export type Exchange = {
  request: IncomingMessage
  response: ServerResponse
  /** What stands in the path for each ":name". */
  params: Record<string, string>
  query: unknown
  signal: AbortSignal
}

/** What answers a route, and the shapes of what it takes, for docs/openapi.json. */
export type Handler = {
  /** Absent: no body is read. */
  body?: z.ZodType
  query: z.ZodType
  run(exchange: Exchange): Promise<void>
}
/** Adds one route. */
export type On = (method: typeof METHODS[number], path: string, handler: Handler) => void

/** A route without body and query, that answers what `ask` gives. */
export function plain(
  ask: (params: Record<string, string>) => unknown, status: 200 | 204 = 200,
): Handler {
  return withQuery(nothing, async (_, { params, response }) => {
    const view = await ask(params)
    answer(response, status, status === 204 ? undefined : view)
  })
}

/** A route whose query fits `schema`, and whose body is not read. */
export function withQuery<S extends z.ZodType>(
  schema: S, run: (query: z.output<S>, exchange: Exchange) => Promise<void>,
): Handler {
  return { query: schema, run: exchange => run(check(schema, exchange.query), exchange) }
}

/** A route whose body fits `schema`, without a query. */
export function withBody<S extends z.ZodType>(
  schema: S, run: (body: z.output<S>, exchange: Exchange) => Promise<void>,
): Handler {
  return {
    body: schema,
    query: nothing,
    run: async exchange => {
      check(nothing, exchange.query)
      await run(check(schema, await readJson(exchange.request)), exchange)
    },
  }
}

/** Lifts the idle time-out of the connection: this answer may be long in coming. */
export function letWait({ request }: Exchange): void {
  request.socket.setTimeout(0)
}

/** One JSON object a line, until there are no more or the client goes. */
export async function sendLines(exchange: Exchange, things: AsyncIterable<unknown>): Promise<void> {
  letWait(exchange)
  const { response } = exchange
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  await pipeline(Readable.from(lines(things)), response)
}

async function* lines(things: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const thing of things) yield `${JSON.stringify(thing)}\n`
}
