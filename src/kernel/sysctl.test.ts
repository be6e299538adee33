// What is refused before a file is opened; the files themselves: native-tests/030-netlink.
import test from 'ava'
import type { SysctlPath } from './sysctl.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'

const foreign = [
  ['ipv4', 'conf', 'all', 'ip_forward'],
  ['ipv6', 'conf', 'lo', 'forwarding'],
  ['ipv6', 'neigh', 'lo', 'accept_ra'],
  ['ipv6', 'conf', 'lo', 'accept_ra', 'x'],
]
for (const path of foreign) {
  test(`net.${path.join('.')} is not ours`, t => {
    const message = new RegExp(`${path.join('\\.')} is not a setting`)
    t.throws(() => readSysctl(path as unknown as SysctlPath), { code: 'TM_USAGE', message })
    t.throws(() => writeSysctl(path as unknown as SysctlPath, 1), { code: 'TM_USAGE', message })
  })
}

for (const device of ['', '.', '..', 'a/../b', 'a\0b']) {
  test(`device ${JSON.stringify(device)} leads nowhere else`, t => {
    t.throws(() => readSysctl(['ipv6', 'conf', device, 'accept_ra']), { code: 'TM_USAGE' })
  })
}

test('a device that is not there is named', t => {
  const path: SysctlPath = ['ipv6', 'conf', 'nosuchdevice', 'accept_ra']
  const message = /nosuchdevice\/accept_ra\): ENOENT; no such device/
  t.throws(() => readSysctl(path), { code: 'TM_KERNEL', message })
  t.throws(() => writeSysctl(path, 0), { code: 'TM_KERNEL', message })
})
