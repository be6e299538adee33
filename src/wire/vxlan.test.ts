// The VXLAN header: golden ones read and written again, the flag, the reserved bits.
import test from 'ava'
import {
  AT, hexOf, INNER_FRAME, INNER_PACKET, OUTER_IPV4, OUTER_VXLAN, overNoise, ringOf, vector,
  vectorNames,
} from './vectors.test-kit.ts'
import {
  markRemoteChecksum, vxlanHasRemoteChecksum, vxlanVni, writeVxlan, VNI_MAX, VXLAN_HEADER_OCTETS,
  VXLAN_OVERHEAD_OCTETS,
} from './vxlan.ts'

for (const name of vectorNames()) {
  test(`vxlan read and written again: ${name}`, t => {
    const golden = vector(name).subarray(OUTER_VXLAN, INNER_FRAME)
    const vni = vxlanVni(ringOf(golden), AT)
    t.true(vni === 4097 || vni === 4098, `vni ${vni}`)
    t.is(overNoise(VXLAN_HEADER_OCTETS, noise => writeVxlan(noise, AT, vni)), hexOf(golden))
  })
}

const rows: [name: string, octets: string, vni: number][] = [
  ['smallest', '0800000000000000', 0],
  ['first network of ours', '0800000000100100', 4097],
  ['largest', '08000000ffffff00', VNI_MAX],
  ['reserved bits are ignored', 'ffabcdef001001ff', 4097],
  ['I flag clear is refused', 'f700000000100100', -1],
  ['all zero is refused', '0000000000000000', -1],
]
for (const [name, octets, vni] of rows) {
  test(`vxlan vni: ${name}`, t => t.is(vxlanVni(ringOf(octets), AT), vni))
}

test('a header says whether a checksum is left to the receiver', t => {
  const dv = ringOf('0800000000100100')
  t.false(vxlanHasRemoteChecksum(dv, AT))
  markRemoteChecksum(dv, AT, 34, false)
  t.true(vxlanHasRemoteChecksum(dv, AT))
  t.is(vxlanVni(dv, AT), 4097)
  for (const [octets, has] of [['08df0000001001ff', false], ['0820000000100100', true]] as const) {
    t.is(vxlanHasRemoteChecksum(ringOf(octets), AT), has)
  }
})

test('the largest network number does not run into its neighbours', t => {
  t.is(overNoise(8, noise => writeVxlan(noise, AT, VNI_MAX)), '08000000ffffff00')
})

test('the overhead is what stands between the outer and the inner packet', t => {
  t.is(INNER_PACKET - OUTER_IPV4, VXLAN_OVERHEAD_OCTETS)
})
