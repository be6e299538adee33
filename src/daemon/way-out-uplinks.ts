// Devices of the host that must pass on packets, so that answers find their way back to tasks. A
// machine that is a router already is left as it is; on another one only these devices are told to,
// and the packet filter sees to it that they do so for tasks alone.
import { KernelError } from '../base/errors.ts'
import { ENOENT } from '../kernel/constants.ts'
import { links } from '../kernel/netlink/link.ts'
import { routes } from '../kernel/netlink/route.ts'
import type { Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import { readSysctl, writeSysctl } from '../kernel/sysctl.ts'
import { GATEWAY_DEVICE } from './way-out-devices.ts'
import { HOST_END_PREFIX } from './way-out-rules.ts'

const LOOPBACK = 'lo'

/**
 * Those that are to be opened: all with IPv4 routes that do not pass on packets by themselves, and
 * those that were opened before.
 */
export async function closedUplinks(host: Rtnetlink, opened: readonly string[]): Promise<string[]> {
  if (isRouter()) return []
  const routed = new Set((await routes(host)).map(route => route.device))
  return (await links(host)).filter(({ index, name }) => opened.includes(name)
    || (routed.has(index) && isForeign(name) && !passesOn(name))).map(({ name }) => name)
}

/** Whether each passes on packets. */
export function areOpen(devices: readonly string[]): boolean {
  return devices.every(passesOn)
}

export function openUplinks(devices: readonly string[]): void {
  for (const device of devices) setForwarding(device, 1)
}

/** As they were; but who has made the machine a router meanwhile wants them to stay open. */
export function closeUplinks(devices: readonly string[]): void {
  if (isRouter()) return
  for (const device of devices) setForwarding(device, 0)
}

function isForeign(name: string): boolean {
  return name !== LOOPBACK && name !== GATEWAY_DEVICE && !name.startsWith(HOST_END_PREFIX)
}

function isRouter(): boolean {
  return passesOn('all')
}

/** A device that has gone this moment needs nothing. */
function passesOn(device: string): boolean {
  return unlessGone(() => readSysctl(['ipv4', 'conf', device, 'forwarding']) === 1) ?? true
}

function setForwarding(device: string, value: number): void {
  unlessGone(() => writeSysctl(['ipv4', 'conf', device, 'forwarding'], value))
}

function unlessGone<T>(fn: () => T): T | undefined {
  try {
    return fn()
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENOENT) return undefined
    throw error
  }
}
