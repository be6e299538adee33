// Join tokens: their form, what is wrong with those that are none, and which role a secret gives.
import test from 'ava'
import fc from 'fast-check'
import { base36Digits, formatBase36, tryBase36 } from './base36.ts'
import {
  formatToken, makeJoinSecrets, parseToken, roleOfSecret, rotateSecret, SECRET_OCTETS,
} from './token.ts'

const authorityDigest = Uint8Array.from({ length: 32 }, (_, i) => 255 - i)
const secret = Uint8Array.from({ length: 16 }, (_, i) => i + 1)
const TOKEN = 'TMTKN-1-6dp15j43ld5l8i7wvimlj7kxgbfxkxkgmo66lge382296ouqjk-'
  + '025burfp0j7epb0hqfcuw340g'

test('a token has the form that Swarm tokens have', t => {
  const token = formatToken({ authorityDigest, secret })
  t.regex(token, /^TMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/)
  t.is(token, TOKEN)
  t.deepEqual(parseToken(` ${token}\n`), { authorityDigest, secret })
})

test('octets of any value come back from base 36', t => {
  t.is(base36Digits(16), 25)
  t.is(base36Digits(32), 50)
  fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), octets => {
    const text = formatBase36(octets)
    return text.length === 25 && Buffer.compare(tryBase36(text, 16)!, octets) === 0
  }))
  t.is(tryBase36('z'.repeat(25), 16), null, 'more than 128 bits')
  t.is(tryBase36(formatBase36(secret).toUpperCase(), 16), null)
})

const part = (index: number, change: (text: string) => string): string =>
  TOKEN.split('-').map((text, i) => i === index ? change(text) : text).join('-')
const refusals: [name: string, token: string, message: RegExp][] = [
  ['nothing', '', /does not begin with TMTKN-/],
  ['another word', 'hello', /does not begin with TMTKN-/],
  ['a token of Swarm', TOKEN.replace('TMTKN', 'SWMTKN'), /one of Docker Swarm/],
  ['small letters', TOKEN.toLowerCase(), /does not begin with TMTKN-/],
  ['a later version', part(1, () => '2'), /is of version 2, .* only version 1; run the same/],
  ['no version', part(1, () => ''), /does not name its version/],
  ['only the prefix', 'TMTKN', /does not name its version/],
  ['cut off', TOKEN.slice(0, -3), /is cut off: it has 81 of 84 characters/],
  ['without its secret', TOKEN.slice(0, 58), /is cut off: it has 58 of 84 characters/],
  ['too long', `${TOKEN}0`, /84 characters are right, this has 85/],
  ['one part more', `${TOKEN}-x`, /wrong length/],
  ['a part that lends from the next', part(2, text => `${text}00`).slice(0, 84), /wrong length/],
  ['large letters', part(3, text => text.toUpperCase()), /has characters that no token has/],
  ['a digest that is too great', part(2, () => 'z'.repeat(50)), /has characters that no token/],
  ['a space inside', part(3, text => `${text.slice(0, 5)} ${text.slice(6)}`), /has characters/],
]
for (const [name, token, message] of refusals) {
  test(`refused: ${name}`, t => {
    const error = t.throws(() => parseToken(token), { code: 'TM_USAGE', message })
    for (const piece of token.split('-').filter(text => text.length > 10)) {
      t.false(error!.message.includes(piece.slice(0, 8)), 'nothing of it is repeated')
    }
    t.deepEqual((error as unknown as { facts: unknown }).facts, {})
  })
}

test('any text is a token or a usage error', t => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string().map(text => TOKEN + text)), text => {
    try {
      parseToken(text)
      return text.trim() === TOKEN
    } catch (error) {
      return (error as { code?: string }).code === 'TM_USAGE'
    }
  }))
  t.pass()
})

test('each role has its secret, and a new one ends the old', t => {
  const secrets = makeJoinSecrets()
  t.is(roleOfSecret(secrets, Uint8Array.from(secrets.worker)), 'worker')
  t.is(roleOfSecret(secrets, Uint8Array.from(secrets.manager)), 'manager')
  t.is(roleOfSecret(secrets, new Uint8Array(SECRET_OCTETS)), null)
  t.is(roleOfSecret(secrets, secrets.worker.subarray(1)), null)
  const rotated = rotateSecret(secrets, 'worker')
  t.is(roleOfSecret(rotated, secrets.worker), null)
  t.is(roleOfSecret(rotated, rotated.worker), 'worker')
  t.is(roleOfSecret(rotated, secrets.manager), 'manager')
})
