// Turns the packets of the witness into lines or a pcap file, until it is told to stop.
import { closeSync, openSync, writeSync } from 'node:fs'
import { openWitness, WITNESS_SNAP_OCTETS } from '../../kernel/witness.ts'
import { frameLine, vxlanLine } from '../../wire/dump.ts'
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, typeFieldAt } from '../../wire/ether.ts'
import { pcapFileHeader, pcapRecordHeader } from '../../wire/pcap.ts'

export type Capture = {
  device: string
  filter: string
  /** UDP port of the tunnel. */
  port: number
  /** pcap file, "-" for stdout; undefined: one line per packet on stdout. */
  file: string | undefined
  packetsMax: number
}
type Sink = { take(frame: DataView<ArrayBuffer>, lengthOctets: number): void; close(): void }

const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const ETHERTYPE_OCTETS = 2

/** Captures until `packetsMax` have passed or a signal asks to stop, then says how many it saw. */
export async function capture({ device, filter, port, file, packetsMax }: Capture): Promise<void> {
  const over = Promise.withResolvers<void>()
  const stop = () => over.resolve()
  let packets = 0
  let sink: Sink | null = null
  const onFrame = (frame: DataView<ArrayBuffer>, lengthOctets: number) => {
    if (packets >= packetsMax || sink === null) return
    packets++
    sink.take(frame, lengthOctets)
    if (packets >= packetsMax) stop()
  }
  for (const signal of STOPS) process.on(signal, stop)
  try {
    const witness = openWitness({ device, filter, onFrame, onError: over.reject })
    try {
      sink = makeSink(file, port)
      process.stderr.write(`capturing on ${device}, filter "${filter}"\n`)
      await over.promise
    } finally {
      witness.close()
      sink?.close()
    }
  } finally {
    for (const signal of STOPS) process.off(signal, stop)
  }
  process.stderr.write(`${packets} packet${packets === 1 ? '' : 's'} captured\n`)
}

function makeSink(file: string | undefined, port: number): Sink {
  if (file === undefined) {
    const take = (frame: DataView<ArrayBuffer>, lengthOctets: number) => {
      process.stdout.write(`${clockText(wallMicros())} ${lineOf(frame, lengthOctets, port)}\n`)
    }
    return { take, close: () => {} }
  }
  const fd = file === '-' ? null : openSync(file, 'w')
  const write = fd === null
    ? (octets: Uint8Array) => void process.stdout.write(octets)
    : (octets: Uint8Array) => void writeSync(fd, octets)
  write(pcapFileHeader(WITNESS_SNAP_OCTETS))
  const take = (frame: DataView<ArrayBuffer>, lengthOctets: number) => {
    const micros = wallMicros()
    const seconds = Math.floor(micros / 1e6)
    const header = pcapRecordHeader(seconds, micros % 1e6, lengthOctets, lengthOctets)
    // A copy, in one piece: the witness writes the next packet into the same place.
    write(Buffer.concat([header, new Uint8Array(frame.buffer, 0, lengthOctets)]))
  }
  return { take, close: () => fd !== null && closeSync(fd) }
}

/** IP packets with what VXLAN carries; anything else that a filter lets through as plain frame. */
function lineOf(frame: DataView, lengthOctets: number, port: number): string {
  const typeAt = typeFieldAt(frame, 0, lengthOctets)
  const type = typeAt < 0 ? -1 : frame.getUint16(typeAt)
  if (type !== ETHERTYPE_IPV4 && type !== ETHERTYPE_IPV6) return frameLine(frame, 0, lengthOctets)
  const at = typeAt + ETHERTYPE_OCTETS
  return vxlanLine(frame, at, lengthOctets - at, port)
}

/** Microseconds since 1970-01-01 UTC; the package does not hand over libpcap's own time stamp. */
function wallMicros(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000)
}

/** "17:04:05.123456" in local time, as tcpdump has it. */
export function clockText(micros: number): string {
  const date = new Date(micros / 1000)
  const two = (value: number) => String(value).padStart(2, '0')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return `${time}.${String(micros % 1e6).padStart(6, '0')}`
}
