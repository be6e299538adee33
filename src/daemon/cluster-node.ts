// This node in its cluster: the mesh brings messages and says who lives, the tables keep what all
// nodes know, and each feeds the other. Nothing is decided here of networks or tasks.
import { randomBytes, randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { makeRandom } from '../base/prng.ts'
import { formatMeshAddress, type MeshAddress } from '../cluster/mesh-address.ts'
import { makeSystemAlarm, MeshDriver } from '../cluster/mesh-driver.ts'
import type { MeshKeys, MeshNews } from '../cluster/mesh-events.ts'
import { Mesh } from '../cluster/mesh.ts'
import { DRAIN_MESSAGE } from '../cluster/services/drain-message.ts'
import { TABLES_MESSAGE } from '../cluster/tables/codec.ts'
import type {
  Change, Notice, TablesEffect, TablesEvent, Write,
} from '../cluster/tables/events.ts'
import type { Row } from '../cluster/tables/rows.ts'
import { Tables } from '../cluster/tables/tables.ts'
import { NodeTransport } from '../cluster/transport.node.ts'
import type { SeenMember } from './cluster-show.ts'
import {
  listenError, memberId, NOTICES, seenMember, tablePeers, wordOf,
} from './cluster-members.ts'
import { decodeMeta, encodeMeta } from './node-meta.ts'
import { SHARED_TABLES } from './shared-rows.ts'
import type { Store } from './store.ts'

export type ClusterNodeParts = Readonly<{
  nodeId: string
  name: string
  /** Label of every packet: the cluster's id. */
  label: string
  keys: MeshKeys
  address: MeshAddress
  store: Store
  clock: Clock
  log: Log
  /** Why a row that came from elsewhere is not taken; null when it is. */
  check: (row: Row) => string | null
  prove: (row: Row) => Uint8Array
  /** A connection that begins with TLS: somebody wants to join, or asks for keys. */
  onTls: (socket: Socket) => void
  onRows: (changes: readonly Change[]) => void
  /** @param from id of the node at whose address it began, null where there is none */
  onDrain: (from: string | null, octets: Uint8Array) => void
  /** @param left name of the member that has just said goodbye, if one has */
  onMembers: (left: string | null) => void
  /** A manager has taken this node out of the cluster. */
  onRemoved: (by: string) => void
  onEvent: (what: string, name: string, detail: unknown) => void
}>

export class ClusterNode {
  readonly tables: Tables
  readonly mesh: Mesh
  readonly transport: NodeTransport
  readonly #parts: ClusterNodeParts
  readonly #driver: MeshDriver
  readonly #alarm = makeSystemAlarm()
  readonly #reasons = new Map<string, string>()
  readonly #doubts = new Map<string, string>()
  readonly #joined = Promise.withResolvers<void>()
  readonly #gone = Promise.withResolvers<void>()
  readonly #waiting: TablesEvent[] = []
  #isBusy = false
  #joinFailure = 'nobody answered'
  #epoch: number
  #isClosed = false

  constructor(parts: ClusterNodeParts) {
    const { address, clock, keys, label, name, nodeId, onTls } = parts
    const { epoch, restored } = parts.store
    this.#parts = parts
    this.#epoch = epoch
    const random = makeRandom(randomInt(2 ** 32))
    this.mesh = new Mesh({
      nowMs: clock.nowMs(), random, randomOctets: octets => randomBytes(octets), name, address,
      epoch, meta: encodeMeta({ id: nodeId, epoch }), label, keys,
      bootOf: (meta, incarnation) => decodeMeta(meta)?.epoch ?? incarnation,
      hasKeepAlive: member => decodeMeta(member.meta) !== null,
    })
    this.transport = new NodeTransport({ address, onTls })
    this.#driver = new MeshDriver({
      mesh: this.mesh, transport: this.transport, clock, onNews: news => this.#heard(news),
    })
    this.tables = new Tables({
      name, node: nodeId, epoch, tables: SHARED_TABLES, random, wallMs: () => clock.wallMs(),
      check: parts.check, prove: parts.prove,
      ...restored === null ? {} : { restored },
    }, clock.nowMs())
  }

  get epoch(): number {
    return this.#epoch
  }

  /** @throws ConflictError when the address is in use or is not this machine's */
  async open(seeds: readonly MeshAddress[]): Promise<void> {
    await this.#driver.open()
      .catch(error => Promise.reject(listenError(error, this.#parts.address)))
    this.#step({ type: 'start' })
    this.#driver.handle({ type: 'join', seeds })
  }

  /** Settles when somebody has answered; rejects with the last reason when the time is over. */
  async joined(timeoutMs: number): Promise<void> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error(this.#joinFailure)), timeoutMs)
    try {
      await Promise.race([this.#joined.promise, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  write(writes: readonly Write[]): void {
    if (writes.length > 0) this.#step({ type: 'write', writes })
  }

  /** To a member; with `isReliable` in a stream, else it may be lost. */
  send(to: string, octets: Uint8Array, isReliable = false): void {
    this.#driver.handle({ type: 'send', to, octets, reliable: isReliable })
  }

  /** Everything of a node that is gone for good goes, up to its boot `epoch`. */
  remove(node: string, epoch: number, name: string): void {
    this.#step({ type: 'remove', node, epoch })
    this.#driver.handle({ type: 'forget', name })
  }

  setKeys(keys: MeshKeys): void {
    this.#driver.handle({ type: 'keys', keys })
  }

  /** Other nodes, and foreign members of the mesh. */
  members(): SeenMember[] {
    const nowMs = this.#parts.clock.nowMs()
    const equality = new Map(this.tables.peers().map(peer => [peer.name, peer.isEqual]))
    return this.mesh.swim.members().filter(({ name }) => name !== this.#parts.name)
      .map(member => ({
        ...seenMember(member, nowMs, this.mesh.tunnel(member.name)?.roundTripMs ?? null),
        reason: this.#doubts.get(member.name) ?? this.#reasons.get(member.name) ?? '',
        doubtful: this.#doubts.has(member.name), tables: wordOf(equality.get(member.name) ?? null),
      }))
  }

  /** Say goodbye, and wait until that was told, but not for long. */
  async leave(timeoutMs: number): Promise<void> {
    this.#step({ type: 'leave' })
    this.#driver.handle({ type: 'leave' })
    const timer = setTimeout(() => this.#gone.resolve(), timeoutMs)
    await this.#gone.promise
    clearTimeout(timer)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#step({ type: 'stop' })
    this.#isClosed = true
    this.#alarm.clear()
    await this.#driver.close()
  }

  #heard(news: MeshNews): void {
    const { log, onDrain, onEvent, onMembers } = this.#parts
    switch (news.type) {
      case 'user':
        if (news.octets[0] === TABLES_MESSAGE) {
          this.#step({ type: 'message', from: news.from, octets: news.octets })
        } else if (news.octets[0] === DRAIN_MESSAGE) {
          onDrain(memberId(this.mesh, news.from), news.octets)
        }
        return
      case 'member': {
        const { change, member, reason } = news
        const isHere = member.state === 'alive' || change === 'forgotten'
        if (isHere) this.#reasons.delete(member.name)
        else this.#reasons.set(member.name, reason)
        log.info({ member: member.name, change, reason, mesh: formatMeshAddress(member.address) },
          'member changed')
        this.#step({ type: 'peers', peers: tablePeers(this.mesh, this.#parts.name) })
        onEvent('member', member.name, { change, reason })
        return onMembers(change === 'left' ? member.name : null)
      }
      case 'doubt':
        if (news.reason === null) this.#doubts.delete(news.name)
        else this.#doubts.set(news.name, news.reason)
        log.info({ member: news.name, doubt: news.reason, silentMs: news.silentMs },
          news.reason === null ? 'tunnel trusted again' : 'tunnel doubtful')
        return onEvent('tunnel', news.name, { doubt: news.reason })
      case 'joined':
        log.info({ by: formatMeshAddress(news.by), members: news.members }, 'mesh joined')
        return this.#joined.resolve()
      case 'join-failed':
        this.#joinFailure = `${formatMeshAddress(news.by)}: ${news.reason}`
        return log.warn({ by: formatMeshAddress(news.by), reason: news.reason }, 'mesh not joined')
      case 'conflict':
        return log.warn({ member: news.name, role: news.role, here: formatMeshAddress(news.here),
          there: formatMeshAddress(news.there) }, 'two nodes have one name; the newer waits')
      case 'refusal':
        return log.warn({ ...news }, 'gossip refused')
      case 'undelivered':
        return log.debug({ to: news.to, reason: news.reason }, 'message not delivered')
      case 'gone': return this.#gone.resolve()
    }
  }

  /** One after the other, also when an effect leads to the next event. */
  #step(event: TablesEvent): void {
    if (this.#isClosed) return
    this.#waiting.push(event)
    if (this.#isBusy) return
    this.#isBusy = true
    const { clock } = this.#parts
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        if (next.type === 'write' && this.tables.hasLeft) continue // by who has not heard of it
        for (const effect of this.tables.step(clock.nowMs(), next)) this.#do(effect)
      }
    } finally {
      this.#isBusy = false
    }
    const inMs = Math.max(0, this.tables.nextMs() - clock.nowMs())
    this.#alarm.set(Math.min(inMs, TICK_MAX_MS), () => this.#step({ type: 'tick' }))
  }

  #do(effect: TablesEffect): void {
    const { log, nodeId, onRows, store } = this.#parts
    switch (effect.type) {
      case 'persist': return store.save(effect.change)
      case 'send': return this.send(effect.to, effect.octets, effect.reliable)
      case 'changed': return onRows(effect.changes)
      case 'epoch':
        this.#epoch = effect.epoch
        return this.#driver.handle({ type: 'meta',
          meta: encodeMeta({ id: nodeId, epoch: effect.epoch }) })
      case 'notice': return this.#notice(effect.notice)
      default: return log.warn({ effect }, 'unknown effect of the tables')
    }
  }

  #notice(notice: Notice): void {
    this.#parts.log.warn({ notice }, NOTICES[notice.what])
    if (notice.what === 'removed') this.#parts.onRemoved(notice.by)
  }
}

/** setTimeout cannot wait longer than 2^31 - 1 ms. */
const TICK_MAX_MS = 60_000
