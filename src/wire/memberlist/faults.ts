// Why octets of the mesh are refused. A closed list, so that each reason can have a counter.

export const MEMBERLIST_FAULTS = [
  'empty', // no octet where a message should begin
  'cut', // ends inside a value, a header or a part
  'unknown-type', // first octet is no message of memberlist
  'unexpected-type', // a message that has no business on this way, such as push/pull in a datagram
  'bad-value', // a field is there, but not as its kind: text for a number, no map at all
  'out-of-range', // a number that its field cannot hold
  'bad-name', // no UTF-8, too long, or empty where somebody must be named
  'bad-address', // neither 4 nor 16 octets
  'bad-meta', // longer than META_OCTETS_MAX
  'bad-versions', // fewer than the six versions
  'bad-state', // a state that no node is in
  'too-many-fields', // a map with more entries than any message has
  'too-deep', // envelopes in envelopes, or values in values
  'too-large', // more octets than this way may carry, also once unpacked
  'bad-checksum',
  'bad-compression', // no LZW that Go would have written
  'too-many-parts', // more than PARTS_MAX messages in a packet
  'no-label', // of no mesh that has a label, but ours has
  'other-label', // of another mesh
  'not-sealed', // in the clear, though there is a key
  'sealed', // sealed, though there is no key
  'unknown-seal', // neither version 0 nor 1 of the seal
  'no-key-fits', // no key of the ring opens it
  'bad-padding', // version 0 of the seal, opened, but not padded as it must be
] as const

export type MemberlistFault = typeof MEMBERLIST_FAULTS[number]
