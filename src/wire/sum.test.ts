import test from 'ava'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { makeRandom, pick } from '../base/prng.ts'
import { foldSum, sumOctets } from './checksum.ts'
import { makeSum, wasmOctets } from './sum.ts'

const memory = new WebAssembly.Memory({ initial: 3, maximum: 3 })
const octets = new Uint8Array(memory.buffer)
const view = new DataView(memory.buffer)
const sum = makeSum(memory)

test('the assembled octets are those of the text', async t => {
  const wabt = await createRequire(import.meta.url)('wabt')()
  const text = readFileSync(new URL('sum.wat', import.meta.url), 'utf8')
  const { buffer } = wabt.parseWat('sum.wat', text, { simd: true }).toBinary({})
  t.deepEqual(wasmOctets(), new Uint8Array(buffer), 'run scripts/build-wasm')
})

test('every length up to 300 at every alignment agrees with the plain sum', t => {
  const random = makeRandom(1)
  for (let i = 0; i < 1000; i++) octets[i] = random()
  for (let at = 0; at < 16; at++) {
    for (let length = 0; length <= 300; length++) {
      t.is(sum(at, length), foldSum(sumOctets(view, at, length, 0)), `at ${at}, ${length} octets`)
    }
  }
})

test('the largest sums fold right', t => {
  octets.fill(0xff)
  for (const length of [0, 1, 2, 63, 64, 65, 65_535, 65_536, 131_072]) {
    t.is(sum(0, length), foldSum(sumOctets(view, 0, length, 0)), `${length} octets of ff`)
  }
})

test('random places and lengths agree', t => {
  const seed = Number(process.env['TAPMESH_SEED'] ?? 2)
  const random = makeRandom(seed)
  for (let i = 0; i < octets.length; i++) octets[i] = random()
  for (let i = 0; i < 3000; i++) {
    const at = pick(random, 65_536)
    const length = pick(random, 65_600)
    t.is(sum(at, length), foldSum(sumOctets(view, at, length, 0)), `seed ${seed} turn ${i}`)
  }
})
