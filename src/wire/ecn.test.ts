// Both figures of RFC 6040, cell by cell.
import test from 'ava'
import { ecnInner, ecnOuter, ECN_CE, ECN_ECT_0, ECN_ECT_1, ECN_NOT_ECT } from './ecn.ts'
import { ipv4Tos } from './ipv4.ts'
import { AT, INNER_PACKET, OUTER_IPV4, ringOf, vector } from './vectors.test-kit.ts'

const DROP = -1
const OUTER = [ECN_NOT_ECT, ECN_ECT_0, ECN_ECT_1, ECN_CE]
const figure4: [name: string, inner: number, ...byOuter: number[]][] = [
  ['Not-ECT', ECN_NOT_ECT, ECN_NOT_ECT, ECN_NOT_ECT, ECN_NOT_ECT, DROP],
  ['ECT(0)', ECN_ECT_0, ECN_ECT_0, ECN_ECT_0, ECN_ECT_1, ECN_CE],
  ['ECT(1)', ECN_ECT_1, ECN_ECT_1, ECN_ECT_1, ECN_ECT_1, ECN_CE],
  ['CE', ECN_CE, ECN_CE, ECN_CE, ECN_CE, ECN_CE],
]
for (const [name, inner, ...byOuter] of figure4) {
  test(`leaving the tunnel with ${name} inside: RFC 6040 figure 4`, t => {
    t.deepEqual(OUTER.map(outer => ecnInner(inner, outer)), byOuter)
  })
  test(`entering the tunnel with ${name}: RFC 6040 figure 3, normal mode`, t => {
    t.is(ecnOuter(inner), inner)
  })
}

test('the fields are numbered as RFC 3168 section 5 has them', t => {
  t.deepEqual([ECN_NOT_ECT, ECN_ECT_1, ECN_ECT_0, ECN_CE], [0b00, 0b01, 0b10, 0b11])
})

test('only the two lower bits of a type of service are the ECN field', t => {
  t.is(ecnOuter(0xb8 | ECN_ECT_0), ECN_ECT_0)
})

test('the kernel copies the field outwards too', t => {
  const dv = ringOf(vector('icmp-echo-ect0'))
  const inner = ipv4Tos(dv, AT + INNER_PACKET)
  t.is(inner, ECN_ECT_0)
  t.is(ecnOuter(ipv4Tos(dv, AT + OUTER_IPV4)), ecnOuter(inner))
})
