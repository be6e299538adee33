// What passes a device: taken by tcpdump, taken apart by tshark, so neither is ours.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exec } from '../../src/base/exec.ts'
import type { Lab } from './lab.ts'
import type { Running } from './running.ts'
import { until } from './wait.ts'

const FILE_HEADER_OCTETS = 24
const RECORD_HEADER_OCTETS = 16
const CAPTURED_OCTETS_AT = 8

/**
 * Start tcpdump on a device, and wait until it sees all that passes.
 * @param filter pcap-filter(7)
 * @param options of tcpdump(8)
 */
export async function tcpdump(lab: Lab, where: string, device: string, filter: string,
  ...options: string[]): Promise<Tcpdump> {
  const running = lab.start(where, 'tcpdump', '-i', device, '-n', '-U', '--immediate-mode',
    '-Z', 'root', '-w', '-', ...options, filter)
  await until(`tcpdump on ${device} of ${where}`, () => running.stderr.includes('listening on'))
  return new Tcpdump(running)
}

export class Tcpdump {
  readonly #running: Running
  constructor(running: Running) {
    this.#running = running
  }

  /** What was seen so far, as a pcap file. */
  file(): Buffer {
    return Buffer.concat(this.#running.octets)
  }

  /** Frames seen so far, oldest first. */
  frames(): Buffer[] {
    const file = this.file()
    const frames: Buffer[] = []
    let at = FILE_HEADER_OCTETS
    while (at + RECORD_HEADER_OCTETS <= file.length) {
      const octets = file.readUInt32LE(at + CAPTURED_OCTETS_AT)
      at += RECORD_HEADER_OCTETS
      if (at + octets <= file.length) frames.push(file.subarray(at, at + octets))
      at += octets
    }
    return frames
  }

  /** Wait until at least `count` frames have been seen. */
  async atLeast(count: number): Promise<void> {
    await until(`${count} frames`, () => this.frames().length >= count)
  }

  async stop(): Promise<void> {
    await this.#running.stop()
  }

  /** Stop, and take the frames apart. @param fields of tshark @returns a row per frame */
  async decode(fields: readonly string[], filter = '', ...options: string[]): Promise<string[][]> {
    await this.stop()
    return tsharkFields(Buffer.concat(this.#running.octets), fields, filter, options)
  }
}

/**
 * The fields of a pcap file. A field that a frame has more than once, such as the outer and inner
 * `ip.ttl`, is shown with its values joined by commas, outermost first.
 */
export async function tsharkFields(pcap: Buffer, fields: readonly string[], filter = '',
  options: readonly string[] = []): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'tapmesh-pcap-'))
  try {
    const file = join(folder, 'all.pcap')
    writeFileSync(file, pcap)
    const words = ['tshark', '-n', '-r', file, '-T', 'fields', ...options,
      ...(filter === '' ? [] : ['-Y', filter]), ...fields.flatMap(field => ['-e', field])]
    const { code, stdout, stderr } = await exec(words)
    if (code !== 0) throw new Error(`tshark: ${stderr}`)
    return stdout.split('\n').filter(line => line !== '').map(line => line.split('\t'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
