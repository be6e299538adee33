// AES-GCM around the mesh's packets and streams, as memberlist has it (security.go): one octet for
// the version, a random nonce, the sealed octets, a tag. It stands here and not beside the codec in
// wire, because that room knows no cryptography. What is authenticated besides (`bound`): of a
// packet the label, of a stream also the header that says how long it is.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { assert } from '../base/assert.ts'

/** AES-128, -192 or -256. */
export const KEY_OCTETS: readonly number[] = [16, 24, 32]
export const NONCE_OCTETS = 12
const TAG_OCTETS = 16
const BLOCK_OCTETS = 16
const VERSION_OCTETS = 1
/** What a seal of version 1 adds. */
export const SEAL_OVERHEAD_OCTETS = VERSION_OCTETS + NONCE_OCTETS + TAG_OCTETS

/** 0 pads to whole blocks and is for members of protocol 1; 1 is for all others. */
export type SealVersion = 0 | 1
/** Octets that nobody can foretell; a nonce must never come twice with one key. */
export type RandomOctets = (octets: number) => Uint8Array

export type Unsealed = Readonly<
  { octets: Uint8Array } | { fault: 'cut' | 'unknown-seal' | 'no-key-fits' | 'bad-padding' }
>

/** Octets that `octets` octets have when they are sealed. */
export function sealedOctets(octets: number, version: SealVersion): number {
  const padding = version === 0 ? BLOCK_OCTETS - octets % BLOCK_OCTETS : 0
  return SEAL_OVERHEAD_OCTETS + octets + padding
}

/** `key` has one of KEY_OCTETS. */
export function seal(
  octets: Uint8Array, key: Uint8Array, bound: Uint8Array, version: SealVersion,
  random: RandomOctets,
): Uint8Array {
  const nonce = random(NONCE_OCTETS)
  assert(nonce.length === NONCE_OCTETS, 'a nonce has 12 octets')
  const cipher = createCipheriv(cipherOf(key), key, nonce, { authTagLength: TAG_OCTETS })
  cipher.setAAD(bound)
  const text = cipher.update(version === 0 ? padded(octets) : octets)
  cipher.final()
  return Buffer.concat([Uint8Array.of(version), nonce, text, cipher.getAuthTag()])
}

/** Tries every key in order. Never throws. */
export function unseal(
  sealed: Uint8Array, keys: readonly Uint8Array[], bound: Uint8Array,
): Unsealed {
  const version = sealed[0]
  if (version === undefined) return { fault: 'cut' }
  if (version > 1) return { fault: 'unknown-seal' }
  const shortest = version === 0 ? sealedOctets(0, 0) : SEAL_OVERHEAD_OCTETS
  if (sealed.length < shortest) return { fault: 'cut' }
  for (const key of keys) {
    const octets = opened(sealed, key, bound)
    if (octets === undefined) continue
    return version === 1 ? { octets } : unpadded(octets)
  }
  return { fault: 'no-key-fits' }
}

function cipherOf(key: Uint8Array): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' {
  assert(KEY_OCTETS.includes(key.length), 'a key has 16, 24 or 32 octets')
  if (key.length === 16) return 'aes-128-gcm'
  return key.length === 24 ? 'aes-192-gcm' : 'aes-256-gcm'
}

function opened(
  sealed: Uint8Array, key: Uint8Array, bound: Uint8Array,
): Uint8Array | undefined {
  const textFrom = VERSION_OCTETS + NONCE_OCTETS
  const tagFrom = sealed.length - TAG_OCTETS
  const nonce = sealed.subarray(VERSION_OCTETS, textFrom)
  const decipher = createDecipheriv(cipherOf(key), key, nonce, { authTagLength: TAG_OCTETS })
  decipher.setAAD(bound)
  decipher.setAuthTag(sealed.subarray(tagFrom))
  const octets = decipher.update(sealed.subarray(textFrom, tagFrom))
  try {
    decipher.final()
    return octets
  } catch {
    return undefined // another key, or not what was sealed
  }
}

/** PKCS #7 (RFC 5652 section 6.3): as many octets as are missing, each saying how many. */
function padded(octets: Uint8Array): Uint8Array {
  const padding = BLOCK_OCTETS - octets.length % BLOCK_OCTETS
  const whole = new Uint8Array(octets.length + padding).fill(padding)
  whole.set(octets)
  return whole
}

function unpadded(octets: Uint8Array): Unsealed {
  const padding = octets.at(-1) ?? 0
  const holds = padding >= 1 && padding <= BLOCK_OCTETS && padding <= octets.length
    && octets.subarray(-padding).every(octet => octet === padding)
  return holds ? { octets: octets.subarray(0, -padding) } : { fault: 'bad-padding' }
}
