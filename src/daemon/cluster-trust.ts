// Whom this node believes, and by which keys it speaks: rows are checked and signed here, the key
// ring follows what managers made, and certificates are renewed in time.
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
  adopt, encodeNotice, forgetFormer, isReplacementDue, isRotator, type KeyRing, nextLamport,
  replaceKeys, rotate, rotationDueMs, rotationWaitMs,
} from '../cluster/identity/keyring.ts'
import { fetchKeys, type SharedKeys } from '../cluster/identity/member-client.ts'
import { makeTrust, type Trust } from '../cluster/identity/signature.ts'
import { digestOfSecrets, type JoinSecrets, rotateSecret } from '../cluster/identity/token.ts'
import { formatMeshAddress, type MeshAddress } from '../cluster/mesh-address.ts'
import type { MeshKeys } from '../cluster/mesh-events.ts'
import type { Change } from '../cluster/tables/events.ts'
import { deskOptions } from './cluster-desk.ts'
import type { ClusterHost } from './cluster-host.ts'
import type { ClusterLife } from './cluster-life.ts'
import { isPresent } from './cluster-show.ts'
import { RenewalFailures, renewIdentity } from './cluster-renewal.ts'
import { announcedOrder, areInForce, lacksKeys } from './key-news.ts'
import { KeySwitch } from './key-switch.ts'
import type { NodeRole, NodeView, TokenView } from './cluster-views.ts'
import {
  decodeRow, encodeRow, KEY_RING, KEY_SECRETS, removedKey, removedRow, TABLE_CLUSTER,
} from './shared-rows.ts'

/** How often what is due is looked for: a rotation, a renewal, keys that could not be fetched. */
const LOOK_MS = 2000
/** Between two calls to managers who may not answer. */
const FETCH_EVERY_MS = 5000

export class ClusterTrust {
  readonly #host: ClusterHost
  readonly #life: ClusterLife
  /** What rows are held to: row-proof.ts. */
  readonly held: Trust
  readonly desk: JoinDesk
  readonly #server: JoinServer
  readonly #timer: NodeJS.Timeout
  readonly #switch: KeySwitch
  readonly #removed = new Map<string, number>()
  readonly #isOut = (id: string): boolean => this.#removed.has(id)
  readonly #failures: RenewalFailures
  #identity: Identity
  #mustFetch = true
  #mustTell = false
  #isBusy = false
  #fetchAfterMs = 0

  constructor(host: ClusterHost, identity: Identity, life: ClusterLife) {
    this.#host = host
    this.#life = life
    this.#identity = identity
    this.#switch = new KeySwitch(host.clock)
    this.#failures = new RenewalFailures(host)
    this.held = makeTrust(identity.authority, nodeId => this.#removed.get(nodeId) ?? null)
    this.desk = new JoinDesk(deskOptions(host, life, () => this.#identity, this.#isOut))
    this.#server = new JoinServer({ desk: this.desk, identity })
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  get identity(): Identity {
    return this.#identity
  }

  meshKeys(): MeshKeys {
    if (this.#identity.cluster.insecure) return { primary: null, all: [] }
    return this.#switch.keysOf(this.#identity.ring)
  }

  accept(socket: Socket): void {
    this.#server.accept(socket)
  }

  /** A row of ours or of others has changed. */
  follow({ table, key, new: row }: Pick<Change, 'table' | 'key' | 'new'>): void {
    if (table !== TABLE_CLUSTER || row === null || row.value === null) return
    const { tables } = this.#life.node
    if (key === KEY_RING || key === KEY_SECRETS) {
      // A split may have left the older notice: whoever has the newer ring says so again.
      if (announcedOrder(tables, this.#identity.ring) < 0) this.#mustTell = true
      if (lacksKeys(tables, this.#identity)) {
        this.#mustFetch = true
        this.#fetchAfterMs = 0
      }
    } else {
      const removed = decodeRow(removedRow, row.value)
      const isWhole = removed !== null && key === removedKey(removed.id)
      if (isWhole) this.#removed.set(removed.id, removed.at)
    }
    if (this.#mustFetch || this.#mustTell) this.#look()
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
    this.#changeSecrets(rotateSecret(this.#identity.secrets!, role))
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
      this.#changeSecrets(rotateSecret(rotateSecret(this.#identity.secrets!, 'worker'), 'manager'))
    }
    if (!this.#identity.cluster.insecure) this.#replaceKeys()
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
    if (ring.epoch !== this.#identity.ring.epoch) this.#switch.begin()
    saveRing(this.#host.core.config.paths.state, ring)
    this.#identity = { ...this.#identity, ring }
    this.#life.node.setKeys(this.meshKeys())
  }

  /** The other managers fetch them. */
  #changeSecrets(secrets: JoinSecrets): void {
    this.#keepSecrets(secrets)
    this.#life.node.write([{ table: TABLE_CLUSTER, key: KEY_SECRETS,
      value: encodeRow({ digest: digestOfSecrets(secrets) }) }])
  }

  #keepSecrets(secrets: JoinSecrets): void {
    this.#identity = { ...this.#identity, secrets }
    saveCluster(this.#host.core.config.paths.state, this.#identity.cluster, secrets)
  }

  #look(): void {
    const step = this.#switch.step()
    if (step === 'over') this.#keepRing(forgetFormer(this.#identity.ring))
    else if (step === 'sealing') this.#life.node.setKeys(this.meshKeys())
    if (this.#isBusy) return
    this.#isBusy = true
    void this.#attend()
      .catch(error => this.#failures.tell(error as Error, this.#identity.certificate))
      .finally(() => { this.#isBusy = false })
  }

  async #attend(): Promise<void> {
    const wallMs = this.#host.clock.wallMs()
    const { certificate, cluster } = this.#identity
    const managers = this.#life.managers()
    const isManager = certificate.role === 'manager'
    if (isManager && !cluster.insecure
      && isRotator(certificate.nodeId, managers.map(({ id }) => id))) this.#rotateWhenDue(wallMs)
    if (this.#mustTell && isManager) this.#tellRing()
    this.#mustTell = false
    // Alone although others are known: perhaps they have keys that this node has missed.
    if (!this.#life.node.members().some(isPresent)) this.#mustFetch = true
    const others = this.#life.managers(true).filter(({ id }) => id !== certificate.nodeId)
    if (this.#mustFetch && others.length > 0 && this.#host.clock.nowMs() >= this.#fetchAfterMs) {
      this.#fetchAfterMs = this.#host.clock.nowMs() + FETCH_EVERY_MS
      await this.#fetch(others.map(one => one.address))
    }
    if (wallMs >= renewalDueMs(certificate)) await this.#renew(managers.map(one => one.address))
  }

  #rotateWhenDue(wallMs: number): void {
    const { ring } = this.#identity
    if (isReplacementDue(ring, this.#removed.size)) this.#replaceKeys()
    else if (wallMs >= rotationDueMs(ring)) this.rotateKeys()
  }

  #replaceKeys(): void {
    this.#keepRing(replaceKeys(this.#identity.ring, makeGossipKeys(), this.#removed.size,
      this.#host.clock.wallMs()))
    this.#tellRing()
  }

  async #fetch(managers: readonly MeshAddress[]): Promise<void> {
    await fetchKeys({ ...this.#calling(), managers }, keys => this.#take(keys))
    this.#mustFetch = lacksKeys(this.#life.node.tables, this.#identity)
  }

  /** False when these are old: a manager may have heard of new ones just now, as this node has. */
  #take({ ring: theirs, secrets }: SharedKeys): boolean {
    const { tables } = this.#life.node
    const ring = adopt(this.#identity.ring, theirs)
    if (ring.current !== this.#identity.ring.current) this.#keepRing(ring)
    if (secrets !== null && areInForce(tables, secrets)) this.#keepSecrets(secrets)
    return !lacksKeys(tables, this.#identity)
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
    return { identity: this.#identity, clock, version, isRemoved: this.#isOut }
  }
}
