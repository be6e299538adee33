// The octets of eBPF instructions, as the document of the instruction set has them; and jumps.
import test from 'ava'
import {
  assemble, compute, exit, jump, jumpIf, type Line, load, loadFrom, takePacket,
} from './ebpf.ts'
import { runEbpf } from './ebpf.test-kit.ts'
import { hexOf, octetsOf } from './vectors.test-kit.ts'

const ROWS: [name: string, line: Line, octets: string][] = [
  ['r6 = r1', takePacket, 'bf16000000000000'],
  ['r0 = *(u32 *)skb[26]', load(4, 26), '200000001a000000'],
  ['r0 = *(u16 *)skb[12]', load(2, 12), '280000000c000000'],
  ['r0 = *(u8 *)skb[23]', load(1, 23), '3000000017000000'],
  ['r0 = *(u32 *)skb[r7 + 14]', loadFrom('r7', 4, 14), '407000000e000000'],
  ['w8 = -1', compute('set', 'r8', -1), 'b4080000ffffffff'],
  ['w7 = w0', compute('set', 'r7', 'r0'), 'bc07000000000000'],
  ['w7 ^= w8', compute('xor', 'r7', 'r8'), 'ac87000000000000'],
  ['w7 *= 0x9e3779b1', compute('times', 'r7', 0x9e3779b1), '24070000b179379e'],
  ['w0 &= 15', compute('and', 'r0', 15), '540000000f000000'],
  ['w0 <<= 2', compute('left', 'r0', 2), '6400000002000000'],
  ['w0 >>= 13', compute('right', 'r0', 13), '740000000d000000'],
  ['w0 += 1', compute('plus', 'r0', 1), '0400000001000000'],
  ['exit', exit, '9500000000000000'],
]
for (const [name, line, octets] of ROWS) {
  test(`an instruction: ${name}`, t => t.is(hexOf(assemble([line])), octets))
}

test('a jump counts the instructions that it leaves out', t => {
  const program = assemble([
    jumpIf('r0', 'equals', 0x0800, 'end'), jumpIf('r0', 'hasBits', 1, 'end'), jump('end'), exit,
    'end', exit,
  ])
  t.is(hexOf(program), '1500030000080000' + '4500020001000000' + '0500010000000000'
    + '9500000000000000' + '9500000000000000')
})

const BAD: [name: string, lines: Line[]][] = [
  ['a label that is nowhere', [jump('nowhere'), exit]],
  ['a jump back', ['back', exit, jump('back')]],
  ['a label twice', ['twice', exit, 'twice', exit]],
]
for (const [name, lines] of BAD) {
  test(`refused: ${name}`, t => void t.throws(() => assemble(lines)))
}

test('a packet that is too short ends the program with 0', t => {
  const program = assemble([takePacket, load(2, 2), compute('set', 'r0', 7), exit])
  t.is(runEbpf(program, octetsOf('00112233')), 7)
  t.is(runEbpf(program, octetsOf('001122')), 0)
})
