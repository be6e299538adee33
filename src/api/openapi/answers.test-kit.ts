// docs/openapi.json as tests read it: what it says of each route, and whether an answer fits.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { readFileSync } from 'node:fs'

export type Json = Record<string, unknown>
type Content = Record<string, { schema?: Json }>
type Operation = {
  operationId: string
  summary: string
  parameters: { name: string; in: string; required: boolean; schema: Json }[]
  requestBody?: { required: boolean; content: Content }
  responses: Record<string, { content?: Content; $ref?: string }>
}
type Document = { paths: Record<string, Record<string, Operation>>; components: Json }

/** One answer of the server: its content type without what follows ";", and its body. */
export type Heard = { status: number; type: string; text: string }

export const file: Document = JSON.parse(
  readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'))

/** By method and path as routes are registered: "GET /v1/tasks/:task". */
export const operations = new Map(Object.entries(file.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) =>
    [`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`, operation])))

const ajv = new Ajv2020({ strict: false })
ajv.addFormat('date-time', text => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(text))
ajv.addSchema({ $id: 'answers:', ...closed(file) as Json })
ajv.addSchema({ $id: 'bodies:', ...file })

/** Answers of this version have no fields but those of the file, though later ones may. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const all = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, closed(one)]))
  return all.type === 'object' && all.properties !== undefined
    ? { additionalProperties: false, ...all } : all
}

/** What of `value` does not fit the schema at this place of the file; '' when all does. */
function misfit(schemas: 'answers:' | 'bodies:', place: string[], value: unknown): string {
  const pointer = place.map(one => encodeURIComponent(one.replaceAll('~', '~0')
    .replaceAll('/', '~1'))).join('/')
  const validate = ajv.getSchema(`${schemas}#/${pointer}`)
  if (validate === undefined) return `no schema at ${pointer}`
  return validate(value) ? '' : ajv.errorsText(validate.errors)
}

function placeOf(route: string): string[] {
  const [method = '', path = ''] = route.split(' ')
  return ['paths', path.replaceAll(/:(\w+)/g, '{$1}'), method.toLowerCase()]
}

export function bodyMisfit(route: string, body: unknown): string {
  return misfit('bodies:', [...placeOf(route), 'requestBody', 'content', 'application/json',
    'schema'], body)
}

/** Whether status, type and each value of an answer are as the file says; '' when all are. */
export function answerMisfit(route: string, { status, type, text }: Heard): string {
  const { responses } = operations.get(route)!
  const told = responses[status] ?? responses.default
  if (told === undefined || (status < 400 && !(status in responses))) return `strange: ${status}`
  const place = told.$ref?.slice(2).split('/') ?? [...placeOf(route), 'responses', String(status)]
  const types = Object.keys(contentAt(place))
  if (types.join() !== type) return `type "${type}" and not "${types.join()}"`
  if (type === '' || type === 'application/octet-stream') return ''
  const values = type === 'application/x-ndjson' ? text.trimEnd().split('\n') : [text]
  return values.map(value =>
    misfit('answers:', [...place, 'content', type, 'schema'], JSON.parse(value)))
    .filter(fault => fault !== '').join('; ')
}

function contentAt(place: string[]): Content {
  const found = place.reduce<unknown>((value, key) => (value as Json)[key], file)
  return (found as { content?: Content }).content ?? {}
}
