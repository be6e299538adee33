// Octets as digits of base 36, of a fixed length: what join tokens are made of, since digits and
// small letters survive chats, shells and tired eyes.

/** Digits that `octets` octets need at most: 16 need 25, 32 need 50. */
export function base36Digits(octets: number): number {
  return Math.ceil((octets * 8) / Math.log2(36))
}

export function formatBase36(octets: Uint8Array): string {
  const value = BigInt(`0x0${Buffer.from(octets).toString('hex')}`)
  return value.toString(36).padStart(base36Digits(octets.length), '0')
}

/** The `lengthOctets` octets that `text` stands for, or null when it stands for none. */
export function tryBase36(text: string, lengthOctets: number): Uint8Array | null {
  if (text.length !== base36Digits(lengthOctets) || !/^[0-9a-z]+$/.test(text)) return null
  let value = 0n
  for (const digit of text) value = value * 36n + BigInt(Number.parseInt(digit, 36))
  if (value >= 1n << BigInt(8 * lengthOctets)) return null
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(2 * lengthOctets, '0'), 'hex'))
}
