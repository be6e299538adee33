// Addresses for this node's own tasks in networks of the cluster: it asks for them, waits until
// they are given, and follows when one is given anew. A request stands in the tables for as long
// as its endpoint does.
import type { Clock } from '../base/clock.ts'
import { ConflictError } from '../base/errors.ts'
import { makeObjectId } from '../base/ids.ts'
import { allocatorOf } from '../cluster/services/lease-share.ts'
import { isHeld } from '../cluster/services/leases.ts'
import {
  leaseKey, parseLeaseKey, type RequestRow, TABLE_REQUEST,
} from '../cluster/services/rows.ts'
import type { Write } from '../cluster/tables/events.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { Core } from './core.ts'
import { settlesWithin } from './endings.ts'
import type { Exclusive } from './exclusive.ts'
import { lacksOf, leaseBook } from './lease-facts.ts'
import type { Networks } from './networks.ts'
import { renumber } from './shared-endpoints.ts'
import { encodeRow, ownerOf } from './shared-rows.ts'
import type { EndpointRecord, TaskRecord } from './state.ts'

/** An address that is not given within this time is not waited for any longer. */
export const REQUEST_WAIT_MS = 10_000
/** A reason against it that is still there after this is told. */
const REASON_MS = 300

/** One network of a task that is to be started; with address and lease once they are given. */
export type Attachment = Readonly<{
  network: string
  address?: string | undefined
  lease?: string | undefined
}>

type Pending = Readonly<{ network: string; wanted: string | null; given: () => void }>

export class LeaseDesk {
  readonly #core: Core
  readonly #networks: Networks
  readonly #changes: Exclusive
  readonly #clock: Clock
  readonly #waitMs: number
  readonly #pending = new Map<string, Pending>()
  #soon: NodeJS.Immediate | undefined
  #isSettling = false

  /** @param waitMs REQUEST_WAIT_MS, but for tests */
  constructor(core: Core, networks: Networks, changes: Exclusive, clock: Clock, waitMs: number) {
    this.#core = core
    this.#networks = networks
    this.#changes = changes
    this.#clock = clock
    this.#waitMs = waitMs
  }

  /**
   * Have an address of each network that belongs to the cluster, and make the change that uses
   * them. What it does not put into an endpoint is given back. It waits, so not in a turn.
   * @throws ConflictError when one is not given, with the reason
   */
  async with<T>(wanted: readonly Attachment[],
    change: (granted: Attachment[]) => Promise<T>): Promise<T> {
    const keys: string[] = []
    try {
      const granted = await Promise.all(wanted.map(one => this.#grant(one, keys)))
      return await change(granted)
    } finally {
      for (const key of keys) this.#pending.delete(key)
      this.follow()
    }
  }

  /** Rows, or tasks of this node, have changed. */
  follow(): void {
    const link = this.#core.link
    if (link === null) return
    for (const [key, { given }] of this.#pending) if (isHeld(link.records.leases.get(key))) given()
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined
      this.#ask()
      this.#settle()
    })
  }

  async #grant(one: Attachment, keys: string[]): Promise<Attachment> {
    const link = this.#core.link
    const network = this.#networks.find(one.network)
    if (network.scope === 'local' || one.lease !== undefined) return one
    if (link === null) throw new ConflictError(`this node is leaving network "${network.name}"`)
    const key = leaseKey(network.id,
      { kind: 'ask', node: link.nodeId, request: makeObjectId() })
    const given = Promise.withResolvers<void>()
    keys.push(key)
    this.#pending.set(key,
      { network: network.id, wanted: one.address ?? null, given: given.resolve })
    this.#ask()
    for (const waitMs of [REASON_MS, this.#waitMs - REASON_MS]) {
      await settlesWithin(given.promise, waitMs)
      const lease = link.records.leases.get(key)
      if (isHeld(lease)) return { ...one, network: network.id, address: lease.address, lease: key }
      const reason = lacksOf(leaseBook(link.records), network.id, this.#clock.wallMs(),
        this.#core.config.addresses.restSeconds * 1000).get(key)
      if (reason !== undefined) throw new ConflictError(reason, { network: network.name })
    }
    throw lateError(link, network.id, network.name, this.#waitMs)
  }

  /** Make the tables say what is wanted here now. */
  #ask(): void {
    const link = this.#core.link
    if (link === null) return
    const wanted = this.#requests(link)
    const writes: Write[] = []
    for (const [key, row] of wanted) {
      const known = link.records.requests.get(key)
      if (known === undefined || (row.wanted !== known.wanted && this.#isApart(link, key, row))) {
        writes.push({ table: TABLE_REQUEST, key, value: encodeRow(row) })
      }
    }
    for (const key of link.records.requests.keys()) {
      if (ownerOf(key) === link.nodeId && !wanted.has(key)) {
        writes.push({ table: TABLE_REQUEST, key, value: null })
      }
    }
    link.write(writes)
  }

  /**
   * Whether its address was given in one half of a split. After it the other half may hear of the
   * request before it hears of the lease, so the request has to name what it has.
   */
  #isApart({ records }: ClusterLink, request: string, { network }: RequestRow): boolean {
    const [node = '', name = ''] = request.split('/')
    const lease = records.leases.get(leaseKey(network, { kind: 'ask', node, request: name }))
    return isHeld(lease) && lease.apart
  }

  /** By "NODE/REQUEST": those that wait, and those of endpoints, which ask for what they have. */
  #requests({ nodeId }: ClusterLink): Map<string, RequestRow> {
    const rows = new Map<string, RequestRow>()
    const add = (lease: string, network: string, wanted: string | null): void => {
      const holder = parseLeaseKey(lease)?.holder
      if (holder?.kind === 'ask' && holder.node === nodeId) {
        rows.set(`${nodeId}/${holder.request}`, { network, wanted })
      }
    }
    for (const [key, { network, wanted }] of this.#pending) add(key, network, wanted)
    for (const { endpoints } of this.#core.state.tasks) {
      for (const { address, lease, network } of endpoints) {
        if (lease !== null && !this.#pending.has(lease)) add(lease, network, address)
      }
    }
    return rows
  }

  /** Endpoints whose lease is of another address now get that. */
  #settle(): void {
    if (this.#isSettling || this.#moved().length === 0) return
    this.#isSettling = true
    const { log } = this.#core
    // Surely: were it refused, nobody would ask again.
    void this.#changes.runSurely(async () => {
      for (const [task, endpoint, address] of this.#moved()) {
        await renumber(this.#core, this.#networks, task, endpoint, address)
      }
    }).catch(error => log.error({ err: error }, 'an address that was given twice is kept'))
      .finally(() => { this.#isSettling = false })
  }

  #moved(): [TaskRecord, EndpointRecord, string][] {
    const { link, state } = this.#core
    if (link === null) return []
    return state.tasks.flatMap(task => task.endpoints
      .flatMap((endpoint): [TaskRecord, EndpointRecord, string][] => {
        const lease = link.records.leases.get(endpoint.lease ?? '')
        return !isHeld(lease) || lease.address === endpoint.address ? []
          : [[task, endpoint, lease.address]]
      }))
  }
}

function lateError({ records }: ClusterLink, networkId: string, name: string, waitMs: number,
): ConflictError {
  const allocator = allocatorOf(networkId, leaseBook(records).nodes)
  const node = records.nodes.get(allocator ?? '')?.name ?? 'the allocator'
  return new ConflictError(`node ${node} gives the addresses of network "${name}" and has not `
    + `answered for ${waitMs / 1000} s; see tapmesh peers, and try again`,
  { network: name, allocator: node })
}
