// The few kernel settings that are ours to change, each of one device in a network namespace.
// Synchronous: /proc/sys/net shows the network namespace of the thread that opens a file there, so
// these work inside `withNetns`.
import { readFileSync, writeFileSync } from 'node:fs'
import { UsageError } from '../base/errors.ts'
import { kernelErrorOf, nodeErrorCode } from './node-error.ts'

/**
 * Documentation/networking/ip-sysctl.rst:
 * accept_ra             0: believe no router advertisement
 * router_solicitations  0: do not ask for any
 * addr_gen_mode         1: make no link-local address by itself
 * disable_ipv6          1: no IPv6 on this device
 *
 * and of IPv4:
 * accept_local    1: what comes in may be from an address of this host
 * forwarding      1: what comes in and is for others is passed on; of `all`: this host is a router
 * route_localnet  1: 127.0.0.0/8 may come and go here
 * rp_filter       0, 2: what comes in from an address may leave to it by another device; 1: may not
 */
export const DEVICE_KNOBS = {
  ipv6: ['accept_ra', 'router_solicitations', 'addr_gen_mode', 'disable_ipv6'],
  ipv4: ['accept_local', 'forwarding', 'route_localnet', 'rp_filter'],
} as const

type Knobs = typeof DEVICE_KNOBS

/** Below /proc/sys/net. The third is a device name, or `all`, or `default` for devices to come. */
export type SysctlPath = {
  [Family in keyof Knobs]: readonly [Family, 'conf', string, Knobs[Family][number]]
}[keyof Knobs]

/** @throws KernelError ENOENT (no such device here, or no IPv6 at all), EROFS, EACCES */
export function readSysctl(path: SysctlPath): number {
  const file = fileOf(path)
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch (error) {
    throw refusal(error, file)
  }
}

/** @throws KernelError as `readSysctl`, and EINVAL for a value that the kernel does not take */
export function writeSysctl(path: SysctlPath, value: number): void {
  const file = fileOf(path)
  try {
    writeFileSync(file, String(value), { flag: 'r+' })
  } catch (error) {
    throw refusal(error, file)
  }
}

/** @throws UsageError for a path that is none of ours, however it came through the types */
function fileOf(path: SysctlPath): string {
  const [family, kind, device, knob] = path
  const known = kind === 'conf' && Object.hasOwn(DEVICE_KNOBS, family)
    && (DEVICE_KNOBS[family] as readonly string[]).includes(knob)
  if (!known || path.length !== 4) {
    throw new UsageError(`net.${path.join('.')} is not a setting that tapmesh changes`)
  }
  if (device === '' || device === '.' || device === '..' || /[/\0]/.test(device)) {
    throw new UsageError(`"${device}" cannot name a network device`)
  }
  return `/proc/sys/net/${path.join('/')}`
}

function refusal(error: unknown, file: string): unknown {
  const missing = nodeErrorCode(error) === 'ENOENT'
  const hint = missing ? 'no such device in this network namespace, or the kernel has no IPv6' : ''
  return kernelErrorOf(error, hint, file)
}
