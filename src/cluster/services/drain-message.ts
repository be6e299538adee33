// What two nodes say to each other about tasks that are about to stop, as octets. They are
// memberlist's user messages; the first octet says that they are these.
import { OctetReader, OctetWriter } from '../tables/octets.ts'

/** First octet of user messages about tasks that are about to stop. */
export const DRAIN_MESSAGE = 0x44
/** Tasks of one message, so that it fits into a datagram. Further ones go in further messages. */
export const DRAINED_TOLD_MAX = 40
/** Of a node or a task. */
const ID_LETTERS_MAX = 25
const KINDS = ['told', 'asked'] as const

export type DrainMessage = Readonly<{
  /**
   * told: the sender leads nothing new to these tasks of the receiver. asked: the receiver has not
   * told that of these tasks of the sender.
   */
  kind: typeof KINDS[number]
  /** Id of the sender: a message that comes from elsewhere is not its own. */
  from: string
  tasks: readonly string[]
}>

/** @param message names DRAINED_TOLD_MAX tasks at most */
export function encodeDrain({ kind, from, tasks }: DrainMessage): Uint8Array {
  const writer = new OctetWriter()
  writer.u8(DRAIN_MESSAGE)
  writer.u8(KINDS.indexOf(kind))
  writer.text(from)
  writer.u8(tasks.length)
  for (const task of tasks) writer.text(task)
  return writer.done()
}

/** Null for what is no message of these, whole and in bounds. */
export function decodeDrain(octets: Uint8Array): DrainMessage | null {
  const reader = new OctetReader(octets)
  if (reader.u8() !== DRAIN_MESSAGE) return null
  const kind = KINDS[reader.u8()]
  const from = readId(reader)
  const tasks: string[] = []
  const count = reader.u8()
  if (kind === undefined || count === 0 || count > DRAINED_TOLD_MAX) return null
  while (tasks.length < count && reader.isGood) tasks.push(readId(reader))
  return reader.isGood && reader.left === 0 ? { kind, from, tasks } : null
}

function readId(reader: OctetReader): string {
  const id = reader.text()
  if (id === '' || id.length > ID_LETTERS_MAX) reader.fail()
  return id
}
