// Names for services that were given none: two words, as Docker makes them.
import { randomInt } from 'node:crypto'
import { LimitError } from '../base/errors.ts'

const FIRST = ['amber', 'ample', 'brave', 'brisk', 'calm', 'candid', 'clever', 'cosy', 'crisp',
  'daring', 'eager', 'early', 'fair', 'fleet', 'fond', 'frank', 'gentle', 'glad', 'golden', 'happy',
  'hardy', 'honest', 'jolly', 'keen', 'kind', 'lively', 'loyal', 'lucid', 'mellow', 'merry',
  'modest', 'neat', 'nimble', 'patient', 'plain', 'proud', 'quick', 'quiet', 'ready', 'silent',
  'silver', 'snug', 'steady', 'sturdy', 'sunny', 'swift', 'tidy', 'vivid', 'warm', 'witty']
const SECOND = ['alder', 'badger', 'beech', 'birch', 'brook', 'cedar', 'cliff', 'coral', 'crane',
  'creek', 'dune', 'elm', 'falcon', 'fern', 'field', 'finch', 'fjord', 'forest', 'glade', 'grove',
  'harbour', 'hazel', 'heron', 'hill', 'island', 'lagoon', 'lake', 'larch', 'lark', 'lynx', 'maple',
  'marsh', 'meadow', 'moss', 'oak', 'otter', 'pine', 'plover', 'pond', 'raven', 'reef', 'river',
  'robin', 'rowan', 'shore', 'spruce', 'stream', 'swan', 'valley', 'willow']
/** After so many tries nearly all 2,500 must be taken: then a digit is added. */
const TRIES_MAX = 64
const DIGITS = 10_000

/** A name that is not among `taken`. */
export function makeServiceName(taken: ReadonlySet<string>): string {
  for (let n = 0; n < 2 * TRIES_MAX; n++) {
    const words = `${FIRST[randomInt(FIRST.length)]}_${SECOND[randomInt(SECOND.length)]}`
    const name = n < TRIES_MAX ? words : `${words}${randomInt(DIGITS)}`
    if (!taken.has(name)) return name
  }
  throw new LimitError('no name could be made up that is free; give one with --name')
}
