// Which networks lead out of the cluster.
import test from 'ava'
import { VNI_INGRESS } from '../cluster/subnets.ts'
import { leadOutside } from './outside.ts'

const open = { vni: 4097, internal: false }
const internal = { vni: 4098, internal: true }
const ingress = { vni: VNI_INGRESS, internal: false }

test('one network that is not internal is enough, none is not', t => {
  t.true(leadOutside([open]))
  t.true(leadOutside([internal, open]))
  t.false(leadOutside([internal]))
  t.false(leadOutside([]))
})

test('a published port opens no way out of internal networks', t => {
  t.false(leadOutside([internal, ingress]))
  t.true(leadOutside([open, ingress]))
  t.true(leadOutside([ingress]), 'a service that has chosen no network')
})
