// The independent witness: packets of a device as libpcap sees them, through the package `cap`. It
// is compiled where a compiler and libpcap-dev are, and absent elsewhere. Main thread only: its
// callback runs on the default event loop, and in a worker the first packet ends the process.
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { isMainThread } from 'node:worker_threads'
import { assert } from '../base/assert.ts'
import { AbsentError, KernelError, NotFoundError, UsageError } from '../base/errors.ts'

/** The package asks libpcap for this much of a packet. */
export const WITNESS_SNAP_OCTETS = 65_535
/** Packets wait here, in the kernel, while one is being handled. */
const KERNEL_BUFFER_OCTETS = 16 << 20

export type Witness = { close(): void }
export type WitnessOptions = {
  device: string
  /** pcap-filter(7); empty: every packet. */
  filter: string
  /**
   * Called for each packet: an Ethernet frame, the first `lengthOctets` of `frame`, which is
   * overwritten by the next one. An error that it throws goes to `onError` and ends the capture.
   */
  onFrame: (frame: DataView<ArrayBuffer>, lengthOctets: number) => void
  onError: (error: unknown) => void
}

type Cap = {
  open(device: string, filter: string, bufferOctets: number, packet: Buffer): string
  close(): void
  setMinBytes?(octets: number): void
  on(event: 'packet', handler: (lengthOctets: number, truncated: boolean) => void): void
}
type CapPackage = {
  Cap: { new(): Cap; deviceList(): { name: string }[] }
}

/** A Cap that could not be opened must not be collected: its end stops a poll that never began. */
const unopened: Cap[] = []

/**
 * Show every packet that passes `device`, in both directions, until closed.
 * @throws AbsentError    no package `cap`, or no right to capture
 * @throws NotFoundError  no such device in this network namespace
 * @throws UsageError     the filter is wrong, or the device does not carry Ethernet frames
 * @throws KernelError    the device is down
 */
export function openWitness({ device, filter, onFrame, onError }: WitnessOptions): Witness {
  assert(isMainThread, 'the witness runs on the main thread')
  const { Cap } = loadCap()
  const known = Cap.deviceList().map(({ name }) => name)
  if (!known.includes(device)) throw unknownDevice(device, known)
  const packet = Buffer.from(new ArrayBuffer(WITNESS_SNAP_OCTETS))
  const cap = new Cap()
  const linkType = openCap(Cap, cap, { device, filter, packet })
  let open = true
  const close = () => {
    if (open) cap.close()
    open = false
  }
  if (linkType !== 'ETHERNET') {
    close()
    throw new UsageError(`device ${device} carries no Ethernet frames (${linkType})`, { device })
  }
  // Only Windows has this one: hand over every packet at once.
  cap.setMinBytes?.(0)
  const frame = new DataView(packet.buffer as ArrayBuffer)
  cap.on('packet', lengthOctets => {
    if (!open) return
    try {
      onFrame(frame, lengthOctets)
    } catch (error) {
      close()
      onError(error)
    }
  })
  return { close }
}

type Opening = { device: string; filter: string; packet: Buffer }

function openCap(Cap: CapPackage['Cap'], cap: Cap, { device, filter, packet }: Opening): string {
  try {
    return cap.open(device, filter, KERNEL_BUFFER_OCTETS, packet)
  } catch (error) {
    unopened.push(cap)
    const { message } = error as Error
    if (/permission|not permitted/i.test(message)) {
      throw new AbsentError('capturing needs root or CAP_NET_RAW', { device }, error)
    }
    if (/not up|ENETDOWN/.test(message)) {
      throw new KernelError('capture', constants.errno.ENETDOWN, { device },
        `bring it up: ip link set ${device} up`)
    }
    if (filter !== '' && opensWithoutFilter(Cap, device)) {
      throw new UsageError(`the filter "${filter}" is wrong: ${message}; see pcap-filter(7)`,
        { filter })
    }
    throw new AbsentError(`cannot capture on ${device}: ${message}`, { device }, error)
  }
}

/** libpcap tells only in words whether device or filter was at fault, so it is asked once more. */
function opensWithoutFilter(Cap: CapPackage['Cap'], device: string): boolean {
  const cap = new Cap()
  try {
    cap.open(device, '', KERNEL_BUFFER_OCTETS, Buffer.alloc(WITNESS_SNAP_OCTETS))
  } catch {
    unopened.push(cap)
    return false
  }
  cap.close()
  return true
}

function loadCap(): CapPackage {
  try {
    return createRequire(import.meta.url)('cap') as CapPackage
  } catch (error) {
    throw new AbsentError('capture needs the optional package "cap", which could not be loaded; '
      + 'install libpcap-dev, g++ and python3, then run: npm rebuild cap', {}, error)
  }
}

function unknownDevice(device: string, known: string[]): Error {
  // libpcap also lists what is not a device of the network, such as "any" and "nflog".
  const names = known.filter(name => !/^(any|nf|bluetooth|usb|dbus)/.test(name)).join(', ')
  return new NotFoundError(`no device ${device} in this network namespace; there are: ${names}`,
    { device })
}
