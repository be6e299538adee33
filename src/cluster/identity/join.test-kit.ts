// Members for tests: a desk behind a listener on loopback that hands over connections as the
// mesh's does, and clocks that a test turns.
import type { ExecutionContext } from 'ava'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { ManualClock } from '../../base/clock.ts'
import { formatBase36 } from './base36.ts'
import { certify } from './ca.ts'
import { makeKeyPair, type KeyPair } from './certificates.ts'
import type { DeskEvent, DeskOptions } from './desk-options.ts'
import { createCluster, joinToken, type Identity } from './identity.ts'
import { keyRequest } from './join-answers.ts'
import { joinCluster, type Joined } from './join-client.ts'
import { JoinDesk } from './join-desk.ts'
import type { Line } from './join-dial.ts'
import { JOIN_ALPN, type JoinRequest } from './join-messages.ts'
import { JoinServer } from './join-server.ts'
import type { Target } from './join-target.ts'
import type { Member } from './member.ts'

export const NOW_MS = Date.UTC(2026, 10, 21, 12)
export const FACTS = {
  clusterName: 'lab', insecure: false, nodeName: 'node-1', address: '192.168.56.11',
}

export function makeCluster(nowMs = NOW_MS): Promise<Identity> {
  return createCluster(FACTS, nowMs)
}

/** Another member of the cluster of `manager`, as if it had joined. */
export async function makeMember(
  manager: Identity, change: Partial<Member> = {}, nowMs = NOW_MS,
): Promise<Identity> {
  const member: Member = {
    nodeId: 'w'.repeat(25), nodeName: 'node-2', role: 'worker', address: '192.168.56.12', ...change,
  }
  const keys = makeKeyPair()
  const certificate = await certify(
    manager.authority, manager.authorityKey!, member, keys.publicKey, nowMs)
  const isManager = member.role === 'manager'
  return {
    ...manager, certificate, privateKey: keys.privateKey,
    authorityKey: isManager ? manager.authorityKey : null,
    secrets: isManager ? manager.secrets : null,
  }
}

export type TestMember = {
  identity: Identity
  readonly target: Target
  readonly clock: ManualClock
  readonly desk: JoinDesk
  readonly server: JoinServer
  readonly events: DeskEvent[]
  close(): Promise<void>
}

export async function startMember(
  identity: Identity, change: Partial<DeskOptions> & { connectionTimeoutMs?: number } = {},
): Promise<TestMember> {
  const { connectionTimeoutMs, ...options } = change
  const clock = new ManualClock(NOW_MS)
  const events: DeskEvent[] = []
  const desk = new JoinDesk({
    clock,
    version: '0.1.0',
    identity: () => member.identity,
    managers: () => [],
    seeds: () => [{ host: '192.168.56.11', port: 7946 }],
    objection: () => null,
    isRemoved: () => false,
    onEvent: event => events.push(event),
    ...options,
  })
  const server = new JoinServer({ desk, identity, connectionTimeoutMs })
  const listener = await listen(socket => server.accept(socket))
  const close = async () => {
    server.close()
    await closeListener(listener)
  }
  const member: TestMember = {
    identity, target: targetOf(listener), clock, desk, server, events, close,
  }
  return member
}

/** Hands over what begins with the first octet of TLS, that octet put back; cuts the rest. */
async function listen(accept: (socket: Socket) => void): Promise<Server> {
  const listener = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', first => {
      if (first[0] !== 0x16) return void socket.destroy()
      socket.removeAllListeners()
      socket.pause()
      socket.unshift(first)
      accept(socket)
    })
  })
  await listenOnLoopback(listener)
  return listener
}

export async function listenOnLoopback(listener: Server): Promise<Target> {
  await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve))
  return targetOf(listener)
}

export function closeListener(listener: Server): Promise<void> {
  return new Promise(resolve => { listener.close(() => resolve()) })
}

function targetOf(listener: Server): Target {
  return { host: '127.0.0.1', port: (listener.address() as AddressInfo).port }
}

/** The same, closed at the end of a test. */
export async function startedFor(
  t: ExecutionContext, identity: Identity, change: Parameters<typeof startMember>[1] = {},
): Promise<TestMember> {
  const member = await startMember(identity, change)
  t.teardown(() => member.close())
  return member
}

/** A right request to join as a worker, for the connection whose keying material is given. */
export function joinRequest(
  manager: Identity, keys: KeyPair, line: Pick<Line, 'exporter'>, change: Partial<JoinRequest> = {},
): JoinRequest {
  return {
    type: 'join', ...keyRequest(keys, line, '0.1.0'), port: 7946,
    secret: formatBase36(manager.secrets!.worker), nodeName: 'node-3', address: '192.168.56.13',
    ...change,
  }
}

/** Join at `target` as anybody would. */
export function letIn(manager: Identity, target: Target): Promise<Joined> {
  return joinCluster({
    target, token: joinToken(manager, 'worker')!, nodeName: 'node-4', address: '192.168.56.14',
    port: 7946, version: '0.1.0', clock: new ManualClock(NOW_MS),
  })
}

/** A connection by somebody who makes sure of nothing, closed at the end of the test. */
export async function connectTo(t: ExecutionContext, { target }: TestMember): Promise<TLSSocket> {
  const socket = connect({
    ...target, minVersion: 'TLSv1.3', ALPNProtocols: [JOIN_ALPN], rejectUnauthorized: false,
  })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

/** Waits for `condition` to hold; long enough for a machine that does much else, too. */
export async function until(condition: () => boolean): Promise<boolean> {
  const deadlineMs = performance.now() + 30_000
  while (!condition() && performance.now() < deadlineMs) await new Promise(setImmediate)
  return condition()
}
