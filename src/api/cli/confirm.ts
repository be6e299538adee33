// A question before something that cannot be undone.
import { createInterface } from 'node:readline'

/** Whether the next line of the standard input says yes; its end says no. */
export async function confirm(question: string): Promise<boolean> {
  process.stdout.write(question)
  const lines = createInterface({ input: process.stdin })
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim())
    return false
  } finally {
    lines.close()
  }
}
