// Limits of the number by which a member outdoes what is said about it. It begins at the seconds
// since 1970 of the boot and has 32 bits. Whoever holds a key could otherwise kill a member for
// good by accusing it at the largest number, because nothing larger is left to refute it with.

/** Accusations above it are ignored; seconds get there in 2097. */
export const ACCUSED_INCARNATION_MAX = 0xf000_0000
/** What a member may say of itself: enough room above the largest accusation for refutations. */
export const CLAIMED_INCARNATION_MAX = 0xf800_0000
