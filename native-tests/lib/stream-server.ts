// Streams of any length whose octets are known: a server for transfers that are held to a checksum.
// As a program: `stream-server.ts listen PORT` answers GET /OCTETS with that many, and PUT with the
// SHA-256 of what it was sent; `stream-server.ts print OCTETS` writes them to its output.
import { createCipheriv, createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Lab } from './lab.ts'
import { until } from './wait.ts'

const PROGRAM = import.meta.filename
const PART_OCTETS = 1 << 18

/** The first `octets` of a key stream: different everywhere, and the same each time. */
function* partsOf(octets: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'tapmesh'), Buffer.alloc(16))
  const zeros = Buffer.alloc(PART_OCTETS)
  for (let left = octets; left > 0; left -= PART_OCTETS) {
    yield cipher.update(zeros.subarray(0, Math.min(left, PART_OCTETS)))
  }
}

export function streamHash(octets: number): string {
  const hash = createHash('sha256')
  for (const part of partsOf(octets)) hash.update(part)
  return hash.digest('hex')
}

function serve(port: number): void {
  createServer(async (request, response) => {
    if (request.method === 'GET') {
      return pipeline(Readable.from(partsOf(Number(request.url?.slice(1)))), response)
        .catch(() => response.destroy())
    }
    const hash = createHash('sha256')
    for await (const part of request) hash.update(part as Buffer)
    return response.end(hash.digest('hex'))
  }).listen(port)
}

const [verb, value] = process.argv.slice(2)
if (import.meta.main && verb === 'listen') serve(Number(value))
if (import.meta.main && verb === 'print') {
  await pipeline(Readable.from(partsOf(Number(value))), process.stdout)
}

/** The words that start the server as a task's command. */
export function streamServer(port: number): string[] {
  return [process.execPath, PROGRAM, 'listen', String(port)]
}

/** Wait until the server answers. @param url such as http://10.0.1.2:8000 */
export async function untilStreams(lab: Lab, where: string, url: string): Promise<void> {
  await until(`${url} answers`, async () =>
    (await lab.run(where, 'curl', '-s', '--max-time', '2', `${url}/1`)).code === 0)
}

/** Get a stream. @returns the SHA-256 of what came */
export async function download(lab: Lab, where: string, url: string,
  octets: number): Promise<string> {
  const script = `set -o pipefail; curl -sSg --fail --max-time 100 '${url}/${octets}' | sha256sum`
  return (await lab.sh(where, script)).split(' ')[0] ?? ''
}

/** Send a stream. @returns the SHA-256 of what arrived */
export async function upload(lab: Lab, where: string, url: string,
  octets: number): Promise<string> {
  return lab.sh(where, `set -o pipefail; ${printing(octets)} | ${PUT} -T - '${url}/'`)
}

/** As upload, with the length told beforehand: the octets on the wire are the same each time. */
export async function uploadWhole(lab: Lab, where: string, url: string,
  octets: number): Promise<string> {
  return lab.sh(where, `file=$(mktemp); trap 'rm -f "$file"' EXIT
    ${printing(octets)} >"$file"; ${PUT} -T "$file" '${url}/stream'`)
}

const PUT = 'curl -sSg --fail --max-time 100 -H Expect:'

function printing(octets: number): string {
  return `'${process.execPath}' '${PROGRAM}' print ${octets}`
}
