// A machine for the programs of ebpf.ts, so that tests can run them without a kernel. It refuses
// what the kernel's verifier refuses, as far as these programs could do it.
import { INSTRUCTION_OCTETS } from './ebpf.ts'

const STEPS_MAX = 1000

/** Run `program` over `packet`; answers r0. @throws Error for an instruction it does not know */
export function runEbpf(program: Uint8Array, packet: Uint8Array): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const data = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  const registers = new Array<number | undefined>(10).fill(undefined)
  const read = (register: number): number => {
    const value = registers[register]
    if (value === undefined) throw new Error(`r${register} is read before it is written`)
    return value
  }
  let isPacketTaken = false
  let next = 0
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    const at = next * INSTRUCTION_OCTETS
    const opcode = code.getUint8(at)
    const to = code.getUint8(at + 1) & 0xf
    const from = code.getUint8(at + 1) >> 4
    const offset = code.getInt16(at + 2, true)
    const immediate = code.getInt32(at + 4, true)
    next += 1
    if (opcode === 0xbf && to === 6 && from === 1) isPacketTaken = true
    else if (opcode === 0x95) return read(0)
    else if (opcode === 0x05) next += offset
    else if (opcode === 0x15) next += read(to) === immediate ? offset : 0
    else if (opcode === 0x45) next += (read(to) & immediate) !== 0 ? offset : 0
    else if ((opcode & 0x07) === 0x04) {
      const value = (opcode & 0x08) === 0 ? immediate : read(from)
      registers[to] = computed(opcode & 0xf0, (opcode & 0xf0) === 0xb0 ? 0 : read(to), value) >>> 0
    } else if ([0x20, 0x28, 0x30, 0x40, 0x48, 0x50].includes(opcode)) {
      if (!isPacketTaken) throw new Error('a load without the packet in r6')
      const place = immediate + ((opcode & 0x40) === 0 ? 0 : read(from))
      const octets = { 0x00: 4, 0x08: 2, 0x10: 1 }[opcode & 0x18]!
      if (place + octets > packet.length) return 0
      registers.fill(undefined, 1, 6)
      registers[0] = octets === 4 ? data.getUint32(place)
        : octets === 2 ? data.getUint16(place) : data.getUint8(place)
    } else throw new Error(`instruction ${next - 1}: opcode ${opcode}`)
  }
  throw new Error('the program does not end')
}

function computed(operation: number, before: number, value: number): number {
  if (operation === 0xb0) return value
  if (operation === 0x00) return before + value
  if (operation === 0x50) return before & value
  if (operation === 0xa0) return before ^ value
  if (operation === 0x20) return Math.imul(before, value)
  if (operation === 0x60) return before << value
  if (operation === 0x70) return before >>> value
  throw new Error(`operation ${operation}`)
}
