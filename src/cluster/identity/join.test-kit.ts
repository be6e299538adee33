// Members for tests: a desk behind a listener on loopback that hands over connections as the
// mesh's does, and clocks that a test turns.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { ManualClock } from '../../base/clock.ts'
import { certify } from './ca.ts'
import { makeKeyPair } from './certificates.ts'
import type { DeskEvent, DeskOptions } from './desk-options.ts'
import { createCluster, type Identity } from './identity.ts'
import { JoinDesk } from './join-desk.ts'
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
