// The messages of HashiCorp's memberlist (net.go and state.go of 0.2.2; later ones added none) in
// our words. Their octets are made in encode.ts and read in decode.ts; what goes around a message
// is in frames.ts.

/** First octet of a message, or of what is around it (net.go, messageType). */
export const TYPE = {
  ping: 0,
  indirectPing: 1,
  ack: 2,
  suspect: 3,
  alive: 4,
  dead: 5,
  pushPull: 6,
  compound: 7,
  user: 8,
  compress: 9,
  encrypt: 10,
  nack: 11,
  checksum: 12,
  error: 13,
  label: 244,
} as const

/** Which protocol a node understands and speaks; `delegate…` are those of the program above. */
export type ProtocolVersions = Readonly<{
  protocolMin: number
  protocolMax: number
  protocol: number
  delegateMin: number
  delegateMax: number
  delegate: number
}>

/**
 * Are you there? `node` is the name of who is asked ('' asks anybody); one with another name says
 * nothing. The source (since 0.2.0) may be unknown: no octets, port 0, ''.
 */
export type PingMessage = Readonly<{
  type: 'ping'
  sequenceNumber: number
  node: string
  sourceAddress: Uint8Array
  sourcePort: number
  sourceNode: string
}>

/** Ask `node` at `target` for me, and send me a nack if it stays silent and `nack` is set. */
export type IndirectPingMessage = Readonly<{
  type: 'indirect-ping'
  sequenceNumber: number
  target: Uint8Array
  port: number
  node: string
  nack: boolean
  sourceAddress: Uint8Array
  sourcePort: number
  sourceNode: string
}>

/** `payload` is for the program above; Serf demands null or one of its own. */
export type AckMessage = Readonly<{
  type: 'ack'
  sequenceNumber: number
  payload: Uint8Array | null
}>

export type NackMessage = Readonly<{ type: 'nack'; sequenceNumber: number }>

export type SuspectMessage = Readonly<{
  type: 'suspect'
  incarnation: number
  node: string
  from: string
}>

/** `address` is 4 or 16 octets. */
export type AliveMessage = Readonly<{
  type: 'alive'
  incarnation: number
  node: string
  address: Uint8Array
  port: number
  meta: Uint8Array
  versions: ProtocolVersions
}>

/** A node that says so of itself (`from` is `node`) has left. */
export type DeadMessage = Readonly<{
  type: 'dead'
  incarnation: number
  node: string
  from: string
}>

/** Octets of the program above. */
export type UserMessage = Readonly<{ type: 'user'; octets: Uint8Array }>

export type NodeState = 'alive' | 'suspect' | 'dead' | 'left'

/** What a node knows of another one, or of itself. `address` is 4 or 16 octets. */
export type PushedNode = Readonly<{
  node: string
  address: Uint8Array
  port: number
  meta: Uint8Array
  incarnation: number
  state: NodeState
  versions: ProtocolVersions
}>

/** Everything that a node knows; the one spoken to answers with the same. Only in streams. */
export type PushPullMessage = Readonly<{
  type: 'push-pull'
  /** The sender wants to become a member. */
  join: boolean
  nodes: readonly PushedNode[]
  /** Of the program above. */
  userState: Uint8Array
}>

/** Why the other side gives up. Only in streams. */
export type ErrorMessage = Readonly<{ type: 'error'; text: string }>

/** What a datagram can carry. */
export type PacketMessage = PingMessage | IndirectPingMessage | AckMessage | NackMessage
  | SuspectMessage | AliveMessage | DeadMessage | UserMessage

/** What a stream can carry. */
export type StreamMessage = PingMessage | AckMessage | PushPullMessage | UserMessage | ErrorMessage
