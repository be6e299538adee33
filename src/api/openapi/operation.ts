// One operation of docs/openapi.json, as people wrote it: a sentence, and the shape of its answer.
// What it takes is not said here; that the server's own schemas say.
import { z } from 'zod'

export type Operation = {
  /** The function of src/api/client.ts that asks it. */
  id: string
  summary: string
  /** What more there is to know. */
  description?: string
  /** 200 when it is not said. */
  status?: 201 | 204
  answer: Answer
}

/** JSON of one shape; lines of JSON; octets; nothing. */
export type Answer =
  | { kind: 'json'; shape: z.ZodType }
  | { kind: 'lines'; shape: z.ZodType }
  | { kind: 'octets' }
  | { kind: 'nothing' }

/** By method and path, as routes are registered: "GET /v1/tasks/:task". */
export type Operations = Record<string, Operation>

export const json = (shape: z.ZodType): Answer => ({ kind: 'json', shape })
export const lines = (shape: z.ZodType): Answer => ({ kind: 'lines', shape })
export const nothingAnswered: Answer = { kind: 'nothing' }

/** What the type check shows when a shape and a view are not the same. */
type Differs = 'this shape is not exactly its view'
type Exactly<View, S extends z.ZodType> = [View] extends [z.output<S>]
  ? [z.output<S>, keyof View] extends [View, keyof z.output<S>] ? S : Differs : Differs

/**
 * Takes `schema` for the shape of View and puts it under the name `id`. The type check refuses one
 * that is not exactly that type, so a new field of a view cannot be forgotten here.
 */
export function shapeOf<View>(id: string) {
  return <S extends z.ZodType>(schema: S & Exactly<View, S>): S => schema.meta({ id }) as S
}

/** ISO 8601, UTC. */
export const time = z.iso.datetime()
export const count = z.int().min(0)
/** Free names with a number each. */
export const counters = z.record(z.string(), z.number())
export const labelsShape = z.record(z.string(), z.string())
