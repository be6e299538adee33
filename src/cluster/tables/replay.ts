// Each message is taken once. A recorded message that somebody sends again, and one that the
// network doubled, is dropped: by the boot epoch of its sender, and by a window of sequence numbers
// (as RFC 4303 section 3.4.3 does for ESP).

export const WINDOW = 1024
export const SENDERS_MAX = 4096

const WORD_BITS = 32

type Sender = { epoch: number; highest: number; readonly seen: Int32Array }

export class ReplayGuard {
  readonly #senders = new Map<string, Sender>()

  /** Whether this is the first time, and not older than the window; from then on it is not. */
  take(name: string, epoch: number, sequence: number): boolean {
    const sender = this.#sender(name)
    if (epoch < sender.epoch) return false
    if (epoch > sender.epoch) {
      sender.epoch = epoch
      sender.highest = -1
      sender.seen.fill(0)
    }
    if (sequence > sender.highest) {
      this.#advance(sender, sequence)
    } else if (sender.highest - sequence >= WINDOW || isMarked(sender, sequence)) {
      return false
    }
    mark(sender, sequence)
    return true
  }

  #advance(sender: Sender, sequence: number): void {
    if (sequence - sender.highest >= WINDOW) sender.seen.fill(0)
    else for (let at = sender.highest + 1; at < sequence; at += 1) unmark(sender, at)
    unmark(sender, sequence)
    sender.highest = sequence
  }

  #sender(name: string): Sender {
    let sender = this.#senders.get(name)
    if (sender !== undefined) return sender
    if (this.#senders.size >= SENDERS_MAX) {
      for (const oldest of this.#senders.keys()) {
        this.#senders.delete(oldest)
        break
      }
    }
    sender = { epoch: -1, highest: -1, seen: new Int32Array(WINDOW / WORD_BITS) }
    this.#senders.set(name, sender)
    return sender
  }
}

function isMarked(sender: Sender, sequence: number): boolean {
  const bit = sequence % WINDOW
  return (sender.seen[bit >> 5]! & (1 << (bit & 31))) !== 0
}

function mark(sender: Sender, sequence: number): void {
  const bit = sequence % WINDOW
  sender.seen[bit >> 5]! |= 1 << (bit & 31)
}

function unmark(sender: Sender, sequence: number): void {
  const bit = sequence % WINDOW
  sender.seen[bit >> 5]! &= ~(1 << (bit & 31))
}
