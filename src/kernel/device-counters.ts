// Counters that the kernel keeps for each device. Synchronous, and one short file for all devices
// of a network namespace, so that many namespaces can be looked at in one go.
import { readFileSync } from 'node:fs'

/** Columns of numbers behind a device's name: include/linux/netdevice.h, dev_seq_printf_stats(). */
const COLUMNS = 16
const TX_DROPPED = 11

/**
 * By device: frames that it should have sent and dropped. For a TAP these are the frames for which
 * its queue had no room, or nobody held it. Of the network namespace of the calling thread.
 */
export function readTxDropped(): Map<string, number> {
  return parseTxDropped(readFileSync('/proc/thread-self/net/dev', 'utf8'))
}

/** @param text of /proc/net/dev: two lines of headings, then a device in each line */
export function parseTxDropped(text: string): Map<string, number> {
  const rows = text.split('\n').slice(2).map(line => {
    const colon = line.lastIndexOf(':') // a name may hold one, numbers do not
    const numbers = line.slice(colon + 1).trim().split(/\s+/).map(Number)
    return { name: line.slice(0, Math.max(0, colon)).trim(), numbers }
  })
  return new Map(rows.filter(({ name, numbers }) => name !== '' && numbers.length === COLUMNS)
    .map(({ name, numbers }) => [name, numbers[TX_DROPPED] ?? 0]))
}
