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
 */
export const DEVICE_KNOBS = [
  'accept_ra', 'router_solicitations', 'addr_gen_mode', 'disable_ipv6',
] as const

/** Below /proc/sys/net. The third is a device name, or `all`, or `default` for devices to come. */
export type SysctlPath = readonly ['ipv6', 'conf', string, (typeof DEVICE_KNOBS)[number]]

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
  const known = family === 'ipv6' && kind === 'conf' && DEVICE_KNOBS.includes(knob)
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
