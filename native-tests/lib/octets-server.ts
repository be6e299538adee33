// A web server for the transfer of files: GET answers the same OCTETS each time, PUT the SHA-256 of
// what it was sent. Run as a program it listens on the port that is its argument.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { makeRandom } from '../../src/base/prng.ts'

/** What a node process runs to be the server; its argument is the port. */
export const SERVER = import.meta.filename
export const OCTETS = 1 << 20
const SEED = 4789

export function makeOctets(): Buffer {
  const random = makeRandom(SEED)
  const words = Uint32Array.from({ length: OCTETS / 4 }, random)
  return Buffer.from(words.buffer)
}

export function sha256(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex')
}

function serve(port: number): void {
  const octets = makeOctets()
  createServer(async (request, response) => {
    if (request.method === 'GET') return response.end(octets)
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    return response.end(sha256(Buffer.concat(parts)))
  }).listen(port)
}

if (import.meta.main) serve(Number(process.argv[2]))
