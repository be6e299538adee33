// What Go's memberlist made of its messages: vectors.txt says which memberlist, and how.
import { readFileSync } from 'node:fs'
import { octetsOf } from '../vectors.test-kit.ts'

/** Octets by name, in the order of the file. */
export function goVectors(): Map<string, Uint8Array> {
  const text = readFileSync(new URL('./vectors.txt', import.meta.url), 'utf8')
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(lines.map(line => {
    const [name = '', hex = ''] = line.split(/\s+/)
    return [name, octetsOf(hex)]
  }))
}

/** @throws Error when there is none of that name */
export function goVector(name: string): Uint8Array {
  const octets = goVectors().get(name)
  if (octets === undefined) throw new Error(`no vector ${name}`)
  return octets
}
