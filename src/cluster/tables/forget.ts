// Keeps maps that are filled from outside from growing without end.

/** Make room for one more: of `max` entries the one that was put in first goes. */
export function forgetOldest<K>(map: Map<K, unknown>, max: number): void {
  if (map.size < max) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
