// Which daemon a command speaks to: --socket before or after the command's name, TAPMESH_SOCKET,
// or the usual place.
import { Option, type Command } from 'commander'
import { DEFAULT_SOCKET_PATH, makeClient, type Client } from '../client.ts'

const FLAGS = '--socket <path>'

export function addSocketOption(command: Command): void {
  command.addOption(new Option(FLAGS,
    `socket of the daemon (default: TAPMESH_SOCKET or ${DEFAULT_SOCKET_PATH})`))
}

/** The socket named nearest to `command`. */
export function socketPathOf(command: Command): string {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const { socket } = at.opts<{ socket?: string }>()
    if (socket !== undefined) return socket
  }
  const { TAPMESH_SOCKET = '' } = process.env
  return TAPMESH_SOCKET === '' ? DEFAULT_SOCKET_PATH : TAPMESH_SOCKET
}

export function clientOf(command: Command): Client {
  return makeClient({ socketPath: socketPathOf(command) })
}
