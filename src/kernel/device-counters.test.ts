// How /proc/net/dev is read; its meaning is shown by native-tests/570-back-pressure.
import test from 'ava'
import { parseTxDropped, readTxDropped } from './device-counters.ts'

const HEAD = `Inter-|   Receive                        |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls \
carrier compressed
`
const ROWS: [name: string, lines: string, found: [string, number][]][] = [
  ['no device', '', []],
  ['the eleventh number behind the first', '  eth0: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n',
    [['eth0', 11]]],
  ['a number that touches the name', 'eth0:99 1 2 3 4 5 6 7 8 9 10 5000000000 12 13 14 15\n',
    [['eth0', 5_000_000_000]]],
  ['an alias with a colon', ' eth0:1: 0 1 2 3 4 5 6 7 8 9 10 7 12 13 14 15\n', [['eth0:1', 7]]],
  ['a line that is cut off', '  eth0: 0 1 2\n  lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n', [['lo', 0]]],
]
for (const [name, lines, found] of ROWS) {
  test(name, t => t.deepEqual([...parseTxDropped(HEAD + lines)], found))
}

test('every machine has a loopback device', t => {
  t.is(typeof readTxDropped().get('lo'), 'number')
})
