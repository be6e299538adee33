// hot: the entries of each network in their order of use, so that the oldest is at hand
import { hash3 } from './hash.ts'
import { NETWORKS_MAX } from './image.ts'
import type { Learned } from './learned.ts'

/** To the newest end of its list. */
export function move(t: Learned, entry: number, nowSeconds: number): void {
  t.seenSeconds[entry] = nowSeconds
  detach(t, entry)
  append(t, entry)
}

/** Put `entry` at the newest end of its network's list. */
export function append(t: Learned, entry: number): void {
  const list = t.list[entry]!
  const newest = t.newest[list]!
  t.newer[entry] = -1
  t.older[entry] = newest
  if (newest >= 0) t.newer[newest] = entry
  else t.oldest[list] = entry
  t.newest[list] = entry
  t.size[list]! += 1
}

/** Take `entry` out of its network's list. */
export function detach(t: Learned, entry: number): void {
  const list = t.list[entry]!
  const newer = t.newer[entry]!
  const older = t.older[entry]!
  if (newer >= 0) t.older[newer] = older
  else t.newest[list] = older
  if (older >= 0) t.newer[older] = newer
  else t.oldest[list] = newer
  t.size[list]! -= 1
}

/** The list of a network, found by its VNI, taken when it has none yet; -1 when all are taken. */
export function listOf(t: Learned, vni: number): number {
  const start = hash3(t.seed, vni, 0, 0) & (NETWORKS_MAX - 1)
  let empty = -1
  for (let i = 0; i < NETWORKS_MAX; i++) {
    const list = (start + i) & (NETWORKS_MAX - 1)
    if (t.listVni[list] === vni) return list
    if (t.listVni[list] === 0 && empty < 0) empty = list
  }
  if (empty >= 0) t.listVni[empty] = vni
  return empty
}
