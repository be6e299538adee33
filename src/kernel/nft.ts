// The packet filter of the kernel, nftables: changed by the command nft(8), in JSON and one
// transaction at a time; and asked by netlink whether anybody has changed it since.
import { spawn } from 'node:child_process'
import { accessSync, closeSync, constants, writeSync } from 'node:fs'
import netlink from 'netlink'
import { AbsentError, LimitError, TapmeshError } from '../base/errors.ts'
import { O_CLOEXEC } from './constants.ts'
import { parseAttributes } from './netlink/message.ts'
import { openNetlinkSocket } from './netlink/netlink-socket.ts'
import { Rtnetlink } from './netlink/rtnetlink.ts'
import { checkResult } from './node-error.ts'
import * as sys from './syscalls.ts'

/** What stands in one of the lists of libnftables-json(5). */
export type NftCommand = Readonly<Record<string, unknown>>

/** Not by PATH: one of npm's programs has the same name. */
export const NFT_PATHS = ['/usr/sbin/nft', '/sbin/nft', '/usr/local/sbin/nft', '/usr/bin/nft']
export const NFT_TIMEOUT_MS = 10_000
/** What an empty pipe holds (pipe(7)), so that a transaction is written before anybody reads. */
export const NFT_OCTETS_MAX = 65_536
const COMPLAINT_LETTERS_MAX = 200

// linux/netfilter/nfnetlink.h, nf_tables.h: a message's type is subsystem and kind.
const NFNL_SUBSYS_NFTABLES = 10
const NFT_MSG_GETGEN = 16
const NFTA_GEN_ID = 1
/** struct nfgenmsg: family, version, resource */
const NFGENMSG_OCTETS = 4

/** @throws AbsentError when the command is not there, or nobody may execute it */
export function findNft(): string {
  const path = NFT_PATHS.find(isProgram)
  if (path !== undefined) return path
  throw new AbsentError('the command nft is not installed; install it with: apt install nftables')
}

/**
 * Do all of it, or nothing, in the network namespace of the calling thread.
 * @throws AbsentError as findNft
 * @throws TapmeshError TM_NFT with what nft says, and when it does not end in time
 */
export async function changeNft(commands: readonly NftCommand[]): Promise<void> {
  const program = findNft()
  const input = pipeWith(JSON.stringify({ nftables: commands }))
  let child
  try {
    child = spawn(program, ['-j', '-f', '-'], {
      stdio: [input, 'ignore', 'pipe'], timeout: NFT_TIMEOUT_MS, killSignal: 'SIGKILL',
    })
  } finally {
    closeSync(input)
  }
  let complaint = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, COMPLAINT_LETTERS_MAX)
  })
  const code = await new Promise<number | string | null>(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('close', (exitCode, signal) => resolve(exitCode ?? signal))
  })
  if (code === 0) return
  const said = complaint.trim().split('\n')[0] || `it ended with ${code}`
  throw new TapmeshError('TM_NFT', `nft refuses: ${said}`, { code })
}

/**
 * A pipe to read `text` from. What Node makes of stdin is a socket, and nft opens /dev/stdin, which
 * a socket does not allow.
 */
function pipeWith(text: string): number {
  const octets = Buffer.from(text)
  if (octets.length > NFT_OCTETS_MAX) {
    throw new LimitError(`a transaction of nftables is longer than ${NFT_OCTETS_MAX} octets`)
  }
  const ends = new Int32Array(2)
  checkResult('pipe2', sys.pipe2(ends, O_CLOEXEC), {})
  const [output = -1, input = -1] = ends
  try {
    writeSync(input, octets)
  } finally {
    closeSync(input)
  }
  return output
}

/** A socket to the packet filter of the calling thread's network namespace. */
export function openNftables(): Rtnetlink {
  return new Rtnetlink(openNetlinkSocket(netlink.Protocol.NETFILTER))
}

/** A number that changes with each transaction of anybody. @throws KernelError without nftables */
export async function nftGeneration(nftables: Rtnetlink): Promise<number> {
  const type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN
  const answer = await nftables.get(type, Buffer.alloc(NFGENMSG_OCTETS), {})
  const id = parseAttributes(answer.subarray(NFGENMSG_OCTETS)).get(NFTA_GEN_ID)
  if (id === undefined) throw new TapmeshError('TM_NETLINK', 'nftables tells no generation')
  return id.readUInt32BE(0)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
