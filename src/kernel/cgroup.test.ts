// Where the control groups of version 2 are, as /proc/self/mountinfo has it on real machines.
import test from 'ava'
import { cgroupMount } from './cgroup.ts'

const rows: [name: string, lines: string[], mount: string | null][] = [
  ['version 2 alone', ['28 22 0:25 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw'],
    '/sys/fs/cgroup'],
  ['both versions', ['30 29 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
    '31 29 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw'], '/sys/fs/cgroup/unified'],
  ['no optional field, one of them', ['1 2 0:3 / /a rw - cgroup2 none rw'], '/a'],
  ['many optional fields', ['1 2 0:3 / /a rw shared:1 master:2 - cgroup2 none rw'], '/a'],
  ['a blank in the path', ['1 2 0:3 / /my\\040groups rw - cgroup2 none rw'], '/my groups'],
  ['version 1 alone', ['30 29 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu'], null],
  ['a device of that name', ['30 29 0:26 / /mnt rw - ext4 cgroup2 rw'], null],
  ['nothing', [''], null],
]
for (const [name, lines, mount] of rows) {
  test(`cgroup mount: ${name}`, t => t.is(cgroupMount(lines.join('\n')), mount))
}
