// Whom this node believes, and by which keys it speaks: rows are checked and signed here, the key
// ring follows what managers made, and certificates are renewed in time.
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { ConflictError } from '../base/errors.ts'
import { saveCertificate, saveCluster, saveRing } from '../cluster/identity/files.ts'
import {
  type Identity, joinToken, makeGossipKey, makeGossipKeys,
} from '../cluster/identity/identity.ts'
import { JoinDesk } from '../cluster/identity/join-desk.ts'
import { JoinServer } from '../cluster/identity/join-server.ts'
import { renewalDueMs } from '../cluster/identity/certificates.ts'
import {
  adopt, compareNotices, decodeNotice, encodeNotice, EPOCH_GRACE_MS, EPOCH_SWITCH_MS, forgetFormer,
  isRotator, type KeyRing, keysForMesh, keysWhileSwitching, nextLamport, noticeOf, replaceKeys,
  rotate, rotationDueMs, rotationWaitMs,
} from '../cluster/identity/keyring.ts'
import { fetchKeys } from '../cluster/identity/member-client.ts'
import { makeTrust, type Trust } from '../cluster/identity/signature.ts'
import { type JoinSecrets, rotateSecret } from '../cluster/identity/token.ts'
import { formatMeshAddress, type MeshAddress } from '../cluster/mesh-address.ts'
import type { MeshKeys } from '../cluster/mesh-events.ts'
import type { Change } from '../cluster/tables/events.ts'
import type { Row } from '../cluster/tables/rows.ts'
import { deskOptions } from './cluster-desk.ts'
import type { ClusterHost } from './cluster-host.ts'
import type { ClusterLife } from './cluster-life.ts'
import { renewIdentity } from './cluster-renewal.ts'
import { proofOf, rowFault } from './row-proof.ts'
import type { NodeRole, NodeView, TokenView } from './cluster-views.ts'
import {
  decodeRow, encodeRow, KEY_RING, KEY_SECRETS, removedKey, removedRow, TABLE_CLUSTER,
} from './shared-rows.ts'

/** How often what is due is looked for: a rotation, a renewal, keys that could not be fetched. */
const LOOK_MS = 2000

export class ClusterTrust {
  readonly #host: ClusterHost
  readonly #life: ClusterLife
  readonly #trust: Trust
  readonly #desk: JoinDesk
  readonly #server: JoinServer
  readonly #timer: NodeJS.Timeout
  readonly #removed = new Map<string, number>()
  #identity: Identity
  #mustFetch = true
  #isBusy = false
  /** All keys were replaced: until then an old one goes on sealing, while the others fetch them. */
  #switchesUntilMs = 0

  constructor(host: ClusterHost, identity: Identity, life: ClusterLife) {
    this.#host = host
    this.#life = life
    this.#identity = identity
    this.#trust = makeTrust(identity.authority, nodeId => this.#removed.get(nodeId) ?? null)
    this.#desk = new JoinDesk(deskOptions(host, life, () => this.#identity,
      nodeId => this.#removed.has(nodeId)))
    this.#server = new JoinServer({ desk: this.#desk, identity })
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  get identity(): Identity {
    return this.#identity
  }

  check(row: Row): string | null {
    return rowFault(this.#trust, row)
  }

  prove(row: Row): Uint8Array {
    return proofOf(this.#identity, row)
  }

  meshKeys(): MeshKeys {
    if (this.#identity.cluster.insecure) return { primary: null, all: [] }
    const isSwitching = this.#host.clock.nowMs() < this.#switchesUntilMs
    const all = (isSwitching ? keysWhileSwitching : keysForMesh)(this.#identity.ring)
    return { primary: all[0]!, all }
  }

  accept(socket: Socket): void {
    this.#server.accept(socket)
  }

  /** A member has left: its name is free at once. */
  freeName(name: string): void {
    this.#desk.freeName(name)
  }

  /** A row of ours or of others has changed. */
  follow({ table, key, new: row }: Change): void {
    if (table !== TABLE_CLUSTER || row === null || row.value === null) return
    if (key === KEY_RING) {
      const notice = decodeNotice(row.value)
      const own = noticeOf(this.#identity.ring)
      if (notice === null || compareNotices(notice, own) <= 0) return
      this.#mustFetch = true
    } else if (key === KEY_SECRETS && row.stamp.node !== this.#identity.certificate.nodeId) {
      this.#mustFetch = this.#identity.secrets !== null || this.#mustFetch
    } else {
      const removed = decodeRow(removedRow, row.value)
      const isWhole = removed !== null && key === removedKey(removed.id)
      if (isWhole) this.#removed.set(removed.id, removed.at)
    }
    if (this.#mustFetch) this.#look()
  }

  /** @throws ConflictError on a worker */
  token(role: NodeRole): TokenView {
    this.#life.checkManager('know the join tokens')
    const token = joinToken(this.#identity, role)!
    const place = formatMeshAddress(this.#life.address)
    return { role, token, command: `tapmesh join --token ${token} ${place}` }
  }

  rotateToken(role: NodeRole): TokenView {
    this.#life.checkManager('rotate join tokens')
    this.#keepSecrets(rotateSecret(this.#identity.secrets!, role))
    this.#life.node.write([{ table: TABLE_CLUSTER, key: KEY_SECRETS,
      value: encodeRow({ changed: randomUUID() }) }])
    return this.token(role)
  }

  /** @throws ConflictError on a worker, in an insecure cluster, too soon after the last time */
  rotateKeys(): void {
    this.#life.checkManager('rotate keys')
    const { cluster, ring } = this.#identity
    if (cluster.insecure) throw new ConflictError('this cluster has no keys: it is insecure')
    const wallMs = this.#host.clock.wallMs()
    const waitMs = rotationWaitMs(ring, wallMs)
    if (waitMs > 0) {
      throw new ConflictError('the keys were rotated a moment ago, and every node must have them '
        + `before the next; try again in ${Math.ceil(waitMs / 1000)} s`, { waitMs })
    }
    this.#keepRing(rotate(ring, makeGossipKey(), nextLamport(ring), wallMs))
    this.#tellRing()
  }

  /** Nothing that a node says counts any more, and it cannot read what the others say. */
  shutOut(node: NodeView): void {
    const { clock } = this.#host
    this.#life.node.write([{ table: TABLE_CLUSTER, key: removedKey(node.id),
      value: encodeRow({ id: node.id, name: node.name, at: clock.wallMs() }) }])
    this.#life.node.remove(node.id, Math.max(node.epoch, Math.floor(clock.wallMs() / 1000)),
      node.name)
    if (node.role === 'manager') {
      const fresh = rotateSecret(rotateSecret(this.#identity.secrets!, 'worker'), 'manager')
      this.#keepSecrets(fresh)
    }
    if (this.#identity.cluster.insecure) return
    this.#keepRing(replaceKeys(this.#identity.ring, makeGossipKeys(), this.#removed.size,
      clock.wallMs()))
    this.#tellRing()
  }

  /** The first manager of a cluster says which keys are in use. */
  begin(): void {
    const { cluster, certificate } = this.#identity
    if (certificate.role === 'manager' && !cluster.insecure
      && this.#life.node.tables.get(TABLE_CLUSTER, KEY_RING) === null) this.#tellRing()
    this.#look()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#server.close()
  }

  #tellRing(): void {
    this.#life.node.write([{ table: TABLE_CLUSTER, key: KEY_RING,
      value: encodeNotice(this.#identity.ring) }])
  }

  #keepRing(ring: KeyRing): void {
    if (ring.epoch !== this.#identity.ring.epoch) {
      this.#switchesUntilMs = this.#host.clock.nowMs() + EPOCH_SWITCH_MS
    }
    saveRing(this.#host.core.config.paths.state, ring)
    this.#identity = { ...this.#identity, ring }
    this.#life.node.setKeys(this.meshKeys())
  }

  #keepSecrets(secrets: JoinSecrets): void {
    this.#identity = { ...this.#identity, secrets }
    saveCluster(this.#host.core.config.paths.state, this.#identity.cluster, secrets)
  }

  #look(): void {
    const { clock, log } = this.#host
    if (this.#switchesUntilMs > 0 && clock.nowMs() >= this.#switchesUntilMs) this.#endSwitch()
    if (this.#isBusy) return
    this.#isBusy = true
    void this.#attend().catch(error => log.debug({ err: error }, 'keys are fetched later'))
      .finally(() => { this.#isBusy = false })
  }

  /** The new keys seal from now on, and some time later those of before do not open any more. */
  #endSwitch(): void {
    const isOver = this.#host.clock.nowMs() >= this.#switchesUntilMs - EPOCH_SWITCH_MS
      + EPOCH_GRACE_MS
    if (isOver) {
      this.#switchesUntilMs = 0
      const ring = forgetFormer(this.#identity.ring)
      saveRing(this.#host.core.config.paths.state, ring)
      this.#identity = { ...this.#identity, ring }
    }
    this.#life.node.setKeys(this.meshKeys())
  }

  async #attend(): Promise<void> {
    const wallMs = this.#host.clock.wallMs()
    const { certificate, cluster, ring } = this.#identity
    const managers = this.#life.managers()
    const isManager = certificate.role === 'manager'
    if (isManager && !cluster.insecure && wallMs >= rotationDueMs(ring)
      && isRotator(certificate.nodeId, managers.map(({ id }) => id))) this.rotateKeys()
    const others = managers.filter(({ id }) => id !== certificate.nodeId)
    if (this.#mustFetch && others.length > 0) await this.#fetch(others.map(one => one.address))
    if (wallMs >= renewalDueMs(certificate)) await this.#renew(managers.map(one => one.address))
  }

  async #fetch(managers: readonly MeshAddress[]): Promise<void> {
    const shared = await fetchKeys({ ...this.#calling(), managers })
    this.#mustFetch = false
    const ring = adopt(this.#identity.ring, shared.ring)
    if (compareNotices(noticeOf(ring), noticeOf(this.#identity.ring)) !== 0) this.#keepRing(ring)
    if (shared.secrets !== null) this.#keepSecrets(shared.secrets)
  }

  async #renew(managers: readonly MeshAddress[]): Promise<void> {
    const before = this.#identity
    const renewed = await renewIdentity({ ...this.#calling(), managers }, this.#life.address)
    saveCertificate(this.#host.core.config.paths.state, before, renewed)
    this.#identity = { ...this.#identity, ...renewed }
    this.#server.renew(this.#identity)
    this.#host.log.info({ until: new Date(renewed.certificate.notAfterMs).toISOString() },
      'certificate renewed')
  }

  #calling() {
    const { clock, version } = this.#host
    const isRemoved = (nodeId: string): boolean => this.#removed.has(nodeId)
    return { identity: this.#identity, clock, version, isRemoved }
  }
}
