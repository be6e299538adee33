// What must hold or the program itself is wrong. Never for input from network, disk or people.

/** @throws Error when `holds` is false; `message` is a literal, so that it can be searched for. */
export function assert(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(`assertion failed: ${message}`)
}
