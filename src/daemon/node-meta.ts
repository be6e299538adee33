// What a node says of itself in every gossip message about it: memberlist carries up to 512 octets
// for the program above. It ties the member's name to the node id of the tables.
import { z } from 'zod'

export const META_OCTETS_MAX = 512

const shape = z.object({
  tapmesh: z.literal(1),
  id: z.string().regex(/^[0-9a-z]{25}$/),
  /** Unix seconds of its start, higher than those of any start before. */
  epoch: z.int().min(1).max(0xffff_ffff),
})

export type NodeMeta = Readonly<{ id: string; epoch: number }>

export function encodeMeta({ id, epoch }: NodeMeta): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ tapmesh: 1, id, epoch }))
}

/** null: this member is no node of ours, but another program that speaks the same gossip. */
export function decodeMeta(octets: Uint8Array): NodeMeta | null {
  if (octets.length === 0 || octets.length > META_OCTETS_MAX) return null
  try {
    const { id, epoch } = shape.parse(JSON.parse(Buffer.from(octets).toString('utf8')))
    return { id, epoch }
  } catch {
    return null
  }
}
