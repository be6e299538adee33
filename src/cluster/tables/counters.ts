// Everything that is refused, cut short or given up is counted here, under one name each.

export type TablesCounters = {
  messagesIn: number
  messagesOut: number
  octetsIn: number
  octetsOut: number
  /** messages dropped: unreadable, for somebody else, sent again */
  malformed: number
  misdirected: number
  replayed: number
  /** rows taken over, and rows that were known already or are older than what is here */
  accepted: number
  known: number
  /** rows refused */
  unknownTable: number
  notOwner: number
  oldEpoch: number
  ownerGone: number
  expiredTombstone: number
  refusedByCheck: number
  /** rows in this node's name: of an earlier boot with a higher epoch, or not written by it */
  overtaken: number
  twin: number
  rowsFull: number
  ownerFull: number
  /** rows whose stamp lies in the future: kept for later, dropped because too many are kept */
  quarantined: number
  quarantineFull: number
  /** news that was given up because the queue was full; the digests bring it */
  newsDropped: number
  /** digest exchanges that were begun, answers that were not given, bulks that had to wait */
  exchanges: number
  throttled: number
  bulkRefused: number
  crowded: number
  tombstonesPurged: number
  tombstonesCut: number
  staleDropped: number
  epochRaises: number
  /** own rows that were to be stamped anew, and were not because too many were in that minute */
  restampsFull: number
  clockSteps: number
}

export function makeCounters(): TablesCounters {
  return {
    messagesIn: 0, messagesOut: 0, octetsIn: 0, octetsOut: 0, malformed: 0, misdirected: 0,
    replayed: 0, accepted: 0, known: 0, unknownTable: 0, notOwner: 0, oldEpoch: 0, ownerGone: 0,
    expiredTombstone: 0, refusedByCheck: 0, overtaken: 0, twin: 0, rowsFull: 0, ownerFull: 0,
    quarantined: 0, quarantineFull: 0, newsDropped: 0, exchanges: 0, throttled: 0, bulkRefused: 0,
    crowded: 0, tombstonesPurged: 0, tombstonesCut: 0, staleDropped: 0, epochRaises: 0,
    restampsFull: 0, clockSteps: 0,
  }
}
