// The description of the API as OpenAPI 3.1, docs/openapi.json: routes and the shapes of what they
// take from the server itself, sentences and the shapes of answers from the files beside this one.
// scripts/openapi writes it; the daemon does not load it.
import { z } from 'zod'
import type { Control } from '../../daemon/views.ts'
import { DEFAULT_SOCKET_PATH } from '../client.ts'
import type { Handler } from '../route.ts'
import { addRoutes } from '../routes.ts'
import { roleName } from '../schema.ts'
import { balancingOperations } from './balancing.ts'
import { clusterOperations } from './cluster.ts'
import { errorAnswers, errorsOf } from './refusals.ts'
import { nameOperations } from './names.ts'
import { networkOperations } from './networks.ts'
import type { Answer, Operation, Operations } from './operation.ts'
import { serviceOperations } from './services.ts'
import { statusOperations } from './status.ts'
import { taskOperations } from './tasks.ts'

export type Route = Handler & { method: string; path: string }
type Json = Record<string, unknown>

const GROUPS: Record<string, Operations> = {
  daemon: statusOperations, networks: networkOperations, tasks: taskOperations,
  cluster: clusterOperations, services: serviceOperations, balancing: balancingOperations,
  names: nameOperations,
}

/** What stands in a path, by its name there. */
const PARAMS: Record<string, string> = {
  network: 'A network: its name, its id, or the beginning of an id that fits no other',
  task: 'A task of this node: name, id, or beginning of an id',
  address: 'Address of a VTEP, with its port when that is not 4789',
  node: 'A node: name, id, beginning of an id, or "self"',
  service: 'A service: name, id, or beginning of an id',
  table: 'A table, as GET /v1/cluster/tables names it',
  role: 'The role that the token gives',
}

/** What the server registers. Nobody is asked, so there need be no daemon behind it. */
export function routesOfServer(): Route[] {
  const routes: Route[] = []
  addRoutes((method, path, handler) => routes.push({ method, path, ...handler }), {} as Control)
  return routes
}

/** @throws Error for a route without an operation, and for an operation without a route */
export function makeDocument(version: string, routes: readonly Route[] = routesOfServer()): Json {
  const groups = Object.entries(GROUPS).flatMap(([tag, operations]) =>
    Object.entries(operations).map(([key, operation]) => [key, { ...operation, tag }] as const))
  const left = new Map(groups)
  const shapes: Json = {}
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const key = `${route.method} ${route.path}`
    const operation = left.get(key)
    if (operation === undefined) throw new Error(`${key} is served and not described`)
    left.delete(key)
    const path = (paths[route.path.replaceAll(/:(\w+)/g, '{$1}')] ??= {})
    path[route.method.toLowerCase()] = operationOf(route, operation, shapes)
  }
  if (left.size > 0) throw new Error(`described and not served: ${[...left.keys()].join(', ')}`)
  return {
    openapi: '3.1.1',
    info: {
      title: 'tapmesh', version,
      summary: 'What can be asked of a daemon of tapmesh, over its Unix socket',
      description: 'docs/API.md says how to call it. Answers may get new fields: pass over what '
        + 'you do not know. In what you send, unknown fields are refused.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: 'http://tapmesh',
      description: `On the Unix socket ${DEFAULT_SOCKET_PATH}; any host name will do` }],
    tags: Object.keys(GROUPS).map(name => ({ name })),
    paths,
    components: { responses: errorAnswers(error => given(error, shapes)), schemas: shapes },
  }
}

function operationOf(
  route: Route, operation: Operation & { tag: string }, shapes: Json,
): Json {
  const { id, summary, description, tag, status = 200, answer } = operation
  return {
    operationId: id, summary, ...description === undefined ? {} : { description }, tags: [tag],
    parameters: [...pathParameters(route.path), ...queryParameters(route.query)],
    ...route.body === undefined ? {} : { requestBody: {
      required: !route.body.safeParse({}).success,
      content: { 'application/json': { schema: taken(route.body) } },
    } },
    responses: { [status]: answerOf(answer, shapes), ...errorsOf(route) },
  }
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name, in: 'path', required: true, description: PARAMS[name],
    schema: name === 'role' ? taken(roleName.shape.role) : { type: 'string', maxLength: 128 },
  }))
}

function queryParameters(query: z.ZodType): Json[] {
  const { properties = {}, required = [] } = taken(query) as
    { properties?: Record<string, Json>; required?: string[] }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name, in: 'query', required: required.includes(name),
    ...description === undefined ? {} : { description }, schema,
  }))
}

function answerOf(answer: Answer, shapes: Json): Json {
  switch (answer.kind) {
    case 'nothing': return { description: 'Done' }
    case 'octets': return {
      description: 'A stream of octets',
      content: { 'application/octet-stream': {} },
    }
    case 'lines': return {
      description: 'A stream: one JSON object of this shape a line',
      content: { 'application/x-ndjson': { schema: given(answer.shape, shapes) } },
    }
    case 'json': return {
      description: 'The answer',
      content: { 'application/json': { schema: given(answer.shape, shapes) } },
    }
  }
}

/** The JSON Schema of what the server takes. */
export function taken(schema: z.ZodType): Json {
  const { $schema: _, ...made } = z.toJSONSchema(schema, {
    io: 'input', unrepresentable: 'any', override: ({ jsonSchema }) => plain(jsonSchema),
  })
  return made
}

/** The JSON Schema of an answer. What of it has a name goes to `shapes`, and is referred to. */
function given(schema: z.ZodType, shapes: Json): Json {
  const made = z.toJSONSchema(z.object({ it: schema }), { override: ({ jsonSchema }) => {
    plain(jsonSchema)
    // Answers may get new fields.
    if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
  } })
  const text = JSON.stringify(made).replaceAll('"#/$defs/', '"#/components/schemas/')
  const { properties, $defs = {} } = JSON.parse(text) as { properties: { it: Json }; $defs?: Json }
  for (const [id, { id: _, ...shape }] of Object.entries($defs as Record<string, Json>)) {
    shapes[id] = shape
  }
  return properties.it
}

/** Leave out what says nothing: limits of JavaScript's numbers, formats that only zod knows. */
function plain(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.format === 'starts_with') delete schema.format
  if (schema.format === 'date-time') delete schema.pattern
}
