// The checksum's sum over a WebAssembly memory: eight times as fast as the plain one in
// checksum.ts, which is the reference in tests. scripts/build-wasm assembles the octets from
// sum.wat.

/** Folded 16-bit sum in network order, not complemented, of `octets` octets at `at`. */
export type Sum = (at: number, octets: number) => number

const SUM_WASM = ''
  + 'AGFzbQEAAAABBwFgAn9/AX8CEAEEcmluZwZtZW1vcnkCAAEDAgEABwcBA3N1bQAACr4CAbsCAwJ7AX4BfyAAIAFBQH'
  + 'FqIQUgACAFSQRAA0AgAiAA/QAEAP1//a4BIQIgAyAA/QAEEP1//a4BIQMgAiAA/QAEIP1//a4BIQIgAyAA/QAEMP1/'
  + '/a4BIQMgAEHAAGohACAAIAVJDQALCyABQT9xIQEgAUEQTwRAA0AgAiAA/QAEAP1//a4BIQIgAEEQaiEAIAFBEGshAS'
  + 'ABQRBPDQALCyACIAP9rgEhAiAC/RsArSAC/RsBrXwgAv0bAq0gAv0bA618fCEEAkADQCABQQJJDQEgBCAAMwEAfCEE'
  + 'IABBAmohACABQQJrIQEMAAsLIAEEQCAEIAAxAAB8IQQLIARC//8DgyAEQhCIfCEEIARC//8DgyAEQhCIfCEEIARC//'
  + '8DgyAEQhCIfCEEIASnIQEgAUEIdiABQf8BcUEIdHIL'

/** @param memory the one that sums will be taken of; it must not grow */
export function makeSum(memory: WebAssembly.Memory): Sum {
  const module = new WebAssembly.Module(wasmOctets())
  const instance = new WebAssembly.Instance(module, { ring: { memory } })
  return instance.exports['sum'] as Sum
}

/** The module's octets, for the test that compares them with the text. */
export function wasmOctets(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(SUM_WASM), character => character.charCodeAt(0))
}
