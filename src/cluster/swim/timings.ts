// How often and how long: the defaults of memberlist for a local network (config.go,
// DefaultLANConfig), and after them those of the rules that memberlist does not have.

export type SwimTimings = Readonly<{
  probeIntervalMs: number
  probeTimeoutMs: number
  /** How many others are asked to probe who did not answer. */
  indirectProbes: number
  /** A helper says that it heard nothing either after this part of the probe's time-out. */
  nackPart: number
  /** Health is counted from 0 (well) to one less than this. */
  awarenessMax: number
  suspicionMult: number
  suspicionMaxMult: number
  gossipIntervalMs: number
  gossipNodes: number
  gossipToTheDeadMs: number
  retransmitMult: number
  pushPullIntervalMs: number
  streamTimeoutMs: number

  /** News is passed on at once to so many, but not more often than this. */
  eagerNodes: number
  eagerIntervalMs: number
  /** And gossiped sooner at first. */
  youngGossipIntervalMs: number
  /** One member that failed is called, again and again. */
  reconnectIntervalMs: number
  reconnectTimeoutMs: number
  /** Seeds are called when nobody else is alive, and less often those that are no members. */
  seedIntervalMs: number
  foreignSeedIntervalMs: number
  /** Between saying that we leave and being gone. */
  leaveMs: number
  /** Who left is remembered so long, so that old news does not bring it back. */
  leftKeepMs: number
  /** Who was heard within this time is not dead because somebody says so. */
  evidenceMs: number
  /** Two nodes of one name are both asked, and have so long to answer. */
  contestMs: number
  /** The newer of two nodes of one name looks so often whether the name is free. */
  waitMs: number
  /** A timer that is later than this was not late: this process stood still. */
  stallMs: number
}>

const DAY_MS = 86_400_000

export const LAN_TIMINGS: SwimTimings = Object.freeze({
  probeIntervalMs: 1000,
  probeTimeoutMs: 500,
  indirectProbes: 3,
  nackPart: 0.8,
  awarenessMax: 8,
  suspicionMult: 4,
  suspicionMaxMult: 6,
  gossipIntervalMs: 200,
  gossipNodes: 3,
  gossipToTheDeadMs: 30_000,
  retransmitMult: 4,
  pushPullIntervalMs: 30_000,
  streamTimeoutMs: 10_000,

  eagerNodes: 3,
  eagerIntervalMs: 20,
  youngGossipIntervalMs: 50,
  reconnectIntervalMs: 1000,
  reconnectTimeoutMs: 2000,
  seedIntervalMs: 10_000,
  foreignSeedIntervalMs: 60_000,
  leaveMs: 600,
  leftKeepMs: DAY_MS,
  evidenceMs: 1500,
  contestMs: 1000,
  waitMs: 10_000,
  stallMs: 250,
})
