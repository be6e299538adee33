// docs/openapi.json: how the API says no.
import { z } from 'zod'
import type { Handler } from '../route.ts'
import type { ErrorView } from '../schema.ts'
import { shapeOf } from './operation.ts'

type Json = Record<string, unknown>

const errorShape = shapeOf<ErrorView>('Error')(z.strictObject({
  error: z.strictObject({
    code: z.string().describe('Stays the same from version to version: "TM_NOT_FOUND"'),
    message: z.string()
      .describe('One sentence for people: what is wrong, with which thing, what to do'),
    facts: z.record(z.string(), z.unknown())
      .describe('The things that the message names, as values; for 400 each fault by its place'),
  }),
}))

/** By status; "default" for all others. */
const REFUSALS: Record<string, string> = {
  400: 'TM_USAGE: the request does not fit its shape, or is not JSON',
  404: 'TM_NOT_FOUND: the thing named is not there',
  409: 'TM_CONFLICT: it is there already, is in use, or stands against it. TM_LIMIT: a limit is '
    + 'reached; docs/LIMITS.md has them',
  413: 'TM_LIMIT: the body is longer than 4 MiB',
  default: '405 TM_USAGE: another method is meant, which the header "allow" names. '
    + '503 TM_STOPPING: the daemon is about to end. 500, any other code: this machine or the '
    + 'daemon failed. TM_ABSENT: it lacks something; TM_KERNEL: the kernel refused; TM_INTERNAL: '
    + 'nobody foresaw it, and the log of the daemon says more. 404 and 409, too, where a body or a '
    + 'query names a thing',
}

/** @param given  makes the schema of a shape */
export function errorAnswers(given: (shape: z.ZodType) => Json): Json {
  return Object.fromEntries(Object.entries(REFUSALS).map(([status, description]) => [
    nameOf(status),
    { description, content: { 'application/json': { schema: given(errorShape) } } },
  ]))
}

/** What a caller of this route has to expect. */
export function errorsOf(
  { method, path, body }: Pick<Handler, 'body'> & { method: string; path: string },
): Json {
  const statuses = ['400', ...path.includes(':') ? ['404'] : [], ...method === 'GET' ? [] : ['409'],
    ...body === undefined ? [] : ['413'], 'default']
  return Object.fromEntries(statuses.map(status =>
    [status, { $ref: `#/components/responses/${nameOf(status)}` }]))
}

function nameOf(status: string): string {
  return status === 'default' ? 'OtherError' : `Error${status}`
}
