// Ports that programs of the machines of the cluster have. Each node tells the others its own, so
// that none of them is published: where a program has it the node could not serve it.
import { ConflictError } from '../base/errors.ts'
import { heldPorts, programsOf } from '../kernel/port-holders.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { ClusterRecords } from './cluster-records.ts'
import type { Core } from './core.ts'
import type { Steered } from './ingress-device.ts'
import { portKey } from './ingress-ports.ts'
import {
  encodeRow, nodeKey, PORTS_TOLD_MAX, type PortsRow, PROGRAM_LETTERS_MAX, TABLE_PORTS,
} from './shared-rows.ts'

/** How often the ports of this machine are looked at. */
export const PORTS_LOOK_MS = 10_000
/** From here on programs have ports for a moment, one out of many: ip_local_port_range of Linux. */
const PORT_OF_THE_MOMENT = 32_768

/** @throws ConflictError when a program of another node that is here has the port */
export function checkElsewhere(records: ClusterRecords, self: string, wanted: Steered): void {
  for (const [id, { hidden, ports }] of records.ports) {
    if (hidden || id === self) continue
    const found = ports.find(({ port, protocol }) =>
      port === wanted.published && protocol === wanted.protocol)
    if (found === undefined) continue
    const node = records.nodes.get(id)?.name ?? 'another node'
    const key = portKey(wanted)
    throw new ConflictError(`port ${key} is in use on ${node} by ${found.program}; stop that `
      + 'program, or publish another port', { port: key, node })
  }
}

export class HostPorts {
  readonly #core: Core
  #link: ClusterLink | null = null
  #timer: NodeJS.Timeout | undefined
  #seen = ''
  #own: PortsRow['ports'] = []

  constructor(core: Core) {
    this.#core = core
  }

  /** Rows have changed. */
  follow(link: ClusterLink): void {
    if (link === this.#link) return
    this.#link = link
    clearInterval(this.#timer)
    this.#timer = setInterval(() => this.#look(link), PORTS_LOOK_MS)
    this.#timer.unref()
    this.#look(link)
  }

  #look(link: ClusterLink): void {
    if (this.#core.link !== link) return clearInterval(this.#timer) // it was left
    const held = heldPorts().filter(({ port }) => port < PORT_OF_THE_MOMENT)
    // Who has them is looked for only when they are others: all processes have to be asked.
    const seen = JSON.stringify(held)
    if (seen !== this.#seen) this.#own = ownPorts(held)
    this.#seen = seen
    const value = encodeRow({ ports: this.#own })
    const known = link.records.ports.get(link.nodeId)
    if (known !== undefined && encodeRow({ ports: known.ports }).join() === value.join()) return
    link.write([{ table: TABLE_PORTS, key: nodeKey(link.nodeId), value }])
  }
}

/** Those of others than this process, each once. */
function ownPorts(held: ReturnType<typeof heldPorts>): PortsRow['ports'] {
  const programs = programsOf(new Set(held.map(({ inode }) => inode)))
  const rows = new Map(held.flatMap(({ inode, port, protocol }) => {
    const program = programs.get(inode) ?? 'a program'
    return program.endsWith(`(pid ${process.pid})`) ? []
      : [[`${port}/${protocol}`,
        { protocol, port, program: program.slice(0, PROGRAM_LETTERS_MAX) }] as const]
  }))
  return [...rows.values()].sort((a, b) => a.port - b.port).slice(0, PORTS_TOLD_MAX)
}
