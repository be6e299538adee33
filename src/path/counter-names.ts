// The names of the counters, as `tapmesh status` shows them. Their order is their index, which
// counters.ts gives as constants to the packet path.

/** Why a frame was dropped. */
export const DROP_NAMES = [
  'malformed', 'bad_flags', 'bad_vni', 'unknown_vtep', 'spoofed_mac', 'spoofed_address',
  'source_is_local', 'source_is_group', 'too_large', 'unknown_mac', 'no_vtep', 'to_itself',
  'ecn_congestion', 'tap_full', 'tap_down', 'underlay_full', 'underlay_unreachable',
  'underlay_too_large', 'underlay_refused', 'truncated', 'underlay_receive_full',
  'tap_queue_full', 'wrong_vtep', 'unknown_source', 'unknown_address', 'vip_no_backend',
  'vip_protocol', 'vip_fragment', 'vip_no_flow', 'vip_ports', 'ingress_apart', 'ingress_no_flow',
] as const
export type DropName = (typeof DROP_NAMES)[number]

/** What else is counted, behind the drops. */
export const COUNT_NAMES = [
  'frames.tap_in', 'octets.tap_in', 'frames.tap_out', 'octets.tap_out',
  'frames.underlay_in', 'octets.underlay_in', 'frames.underlay_out', 'octets.underlay_out',
  'frames.flooded', 'arp.answered', 'icmp.too_large_sent', 'icmp.too_large_limited',
  'fdb.learned', 'fdb.moved', 'fdb.evicted', 'fdb.aged', 'checksum.partial', 'plane.breaths',
  'frames.segmented', 'frames.coalesced', 'ndp.answered', 'fdb.unheard',
  'flows.made', 'flows.aged', 'flows.evicted', 'flows.unserved', 'flows.reset', 'vip.echoed',
  'vip.unreachable_sent', 'vip.unreachable_limited', 'tcp.mss_clamped', 'tcp.acks_folded',
  'tcp.fins_folded',
] as const
