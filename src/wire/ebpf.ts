// Instructions of eBPF that look into a packet: an assembler for programs of a page. A program is
// a list of lines; jumps go forward, to labels. Source: Linux Documentation/bpf/standardization/
// instruction-set.rst; the loads from the packet are the "legacy" ones of its section 5.6.
import { assert } from '../base/assert.ts'

export type Register = 'r0' | 'r1' | 'r2' | 'r3' | 'r4' | 'r5' | 'r6' | 'r7' | 'r8' | 'r9'
type Instruction = Readonly<{
  opcode: number
  to?: Register
  from?: Register
  jump?: string
  immediate?: number
}>
/** A text is a label: the place of the next instruction. */
export type Line = Instruction | string

export const INSTRUCTION_OCTETS = 8

const SIZES = { 1: 0x10, 2: 0x08, 4: 0x00 } as const
const LOAD_ABSOLUTE = 0x20
const LOAD_INDEXED = 0x40
const COMPUTE = {
  set: 0xb4, and: 0x54, xor: 0xa4, times: 0x24, left: 0x64, right: 0x74, plus: 0x04,
} as const
const FROM_REGISTER = 0x08
const JUMPS = { equals: 0x15, hasBits: 0x45 } as const
const JUMP_ALWAYS = 0x05
const EXIT = 0x95
const COPY_WHOLE = 0xbf

/** First line of a program that loads from its packet: the loads expect it in r6. */
export const takePacket: Instruction = { opcode: COPY_WHOLE, to: 'r6', from: 'r1' }

/**
 * r0 becomes 1, 2 or 4 octets of the packet, big-endian. r1 to r5 are lost; a packet that is too
 * short ends the program with 0.
 */
export function load(octets: keyof typeof SIZES, at: number): Instruction {
  return { opcode: LOAD_ABSOLUTE | SIZES[octets], immediate: at }
}

/** As load(), of the octets at `index` + `at`. */
export function loadFrom(index: Register, octets: keyof typeof SIZES, at: number): Instruction {
  return { opcode: LOAD_INDEXED | SIZES[octets], from: index, immediate: at }
}

/** 32-bit arithmetic: `to` = `to` operation `value`, a register or a number. */
export function compute(operation: keyof typeof COMPUTE, to: Register,
  value: Register | number): Instruction {
  const opcode = COMPUTE[operation]
  return typeof value === 'number' ? { opcode, to, immediate: value }
    : { opcode: opcode | FROM_REGISTER, to, from: value }
}

export function jumpIf(value: Register, test: keyof typeof JUMPS, number: number,
  label: string): Instruction {
  return { opcode: JUMPS[test], to: value, jump: label, immediate: number }
}

export function jump(label: string): Instruction {
  return { opcode: JUMP_ALWAYS, jump: label }
}

/** The end of the program; its answer is r0. */
export const exit: Instruction = { opcode: EXIT }

/** The octets of a program, for a little-endian machine. */
export function assemble(lines: readonly Line[]): Uint8Array {
  const places = new Map<string, number>()
  const instructions: Instruction[] = []
  for (const line of lines) {
    if (typeof line !== 'string') instructions.push(line)
    else {
      assert(!places.has(line), 'a label stands once')
      places.set(line, instructions.length)
    }
  }
  const octets = new Uint8Array(instructions.length * INSTRUCTION_OCTETS)
  const view = new DataView(octets.buffer)
  instructions.forEach(({ opcode, to = 'r0', from = 'r0', jump: label, immediate = 0 }, n) => {
    const at = n * INSTRUCTION_OCTETS
    view.setUint8(at, opcode)
    view.setUint8(at + 1, Number(from.slice(1)) << 4 | Number(to.slice(1)))
    view.setInt16(at + 2, label === undefined ? 0 : distance(places, label, n), true)
    view.setInt32(at + 4, immediate | 0, true)
  })
  return octets
}

function distance(places: ReadonlyMap<string, number>, label: string, from: number): number {
  const place = places.get(label)
  assert(place !== undefined && place > from, 'a jump goes forward to a label')
  return place - from - 1
}
