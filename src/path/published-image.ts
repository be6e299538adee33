// The part of a table image that is about published ports: which service each of them leads to.
import { assert } from '../base/assert.ts'
import { hash3 } from './hash.ts'
import { makeIndex } from './image-index.ts'
import type { ImageRows } from './image-rows.ts'

export const PUBLISHED_MAX = 16_384

/** Protocol in the upper 16 bits, port in the lower. */
export const PUBLISHED_KEY = 0
/** Index of its service. */
export const PUBLISHED_SERVICE = 1
export const PUBLISHED_TARGET = 2
/** 1: the backend sees the client itself. */
export const PUBLISHED_PRESERVING = 3
export const PUBLISHED_WORDS = 4

export function publishedKey(protocol: number, port: number): number {
  return protocol << 16 | port
}

/** The ports, and an index over them. Those of services that are not there are left out. */
export function publishedWords({ published = [], services = [] }: ImageRows,
  seed: number): [Int32Array, Int32Array] {
  assert(published.length <= PUBLISHED_MAX, 'published ports fit')
  const indexes = new Map(services.map(({ mark }, n) => [mark, n]))
  const rows = published.filter(({ mark }) => indexes.has(mark))
  const words = rows.flatMap(({ protocol, port, mark, target, isPreserving }) =>
    [publishedKey(protocol, port), indexes.get(mark)!, target, +isPreserving])
  return [Int32Array.from(words), makeIndex(rows.length, n =>
    hash3(seed, words[n * PUBLISHED_WORDS + PUBLISHED_KEY]!, 0, 0))]
}
