// Which subnet the gateway network gets.
import test from 'ava'
import { takenByAddress, takenByRoute, type Taken } from '../cluster/subnets.ts'
import { chooseWayOutSubnet, isWayOutSubnet } from './way-out-subnet.ts'

const docker = takenByAddress('172.18.0.1/16', 'docker_gwbridge')
const rows: [name: string, taken: Taken[], wanted: string | undefined, subnet: string][] = [
  ['the first', [], undefined, '172.18.0.0/16'],
  ['Docker has the first', [docker], undefined, '172.19.0.0/16'],
  ['the default route takes nothing', [takenByRoute('0.0.0.0/0', 'eth0')], undefined,
    '172.18.0.0/16'],
  ['a small route takes all of one', [docker, takenByRoute('172.19.7.0/24', 'tun0')], undefined,
    '172.20.0.0/16'],
  ['all of 172.16.0.0/12 is taken', [takenByRoute('172.16.0.0/12', 'vpn')], undefined,
    '192.168.0.0/20'],
  ['the one that was set', [docker], '10.200.0.0/24', '10.200.0.0/24'],
]
for (const [name, taken, wanted, subnet] of rows) {
  test(`way out: ${name}`, t => t.is(chooseWayOutSubnet(taken, wanted), subnet))
}

test('one that was set and is in use is refused, with who uses it', t => {
  t.throws(() => chooseWayOutSubnet([docker], '172.18.4.0/24'), { code: 'TM_CONFLICT',
    message: 'wayOut.subnet 172.18.4.0/24 overlaps address 172.18.0.1/16 of docker_gwbridge; '
      + 'set another' })
})

test('none is free', t => {
  const taken = [takenByRoute('172.16.0.0/12', 'vpn'), takenByRoute('192.168.0.0/16', 'vpn')]
  t.throws(() => chooseWayOutSubnet(taken, undefined), { code: 'TM_LIMIT', message: /set wayOut/ })
})

for (const text of ['172.18.0.0/16', '10.0.0.0/8', '192.168.7.0/29']) {
  test(`${text} can be one`, t => t.true(isWayOutSubnet(text)))
}
for (const text of ['', '172.18.0.1/16', '172.18.0.0/30', '0.0.0.0/0', '172.18.0.0', 'fd00::/64']) {
  test(`"${text}" cannot be one`, t => t.false(isWayOutSubnet(text)))
}
