// What a client asks: method, path and body of one request, and how its words are put into a path.

/** The longest time from SIGTERM to SIGKILL that can be asked for. */
export const GRACE_MS_MAX = 3_600_000

/** The longest delay between tasks, or watch over them, that can be asked for: a week. */
export const DURATION_MS_MAX = 604_800_000

/** Records of DNS that `dns why` asks for. */
export const DNS_TYPES = ['A', 'AAAA', 'ANY', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as
  const

export type Ask = {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body?: unknown
  /** Zero: as long as it takes. */
  timeoutMs?: number
  signal?: AbortSignal | undefined
}

export const part = encodeURIComponent

/** { force: true, tail: undefined } -> "?force=true" */
export function query(values: Record<string, string | number | boolean | undefined>): string {
  const words = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) words.set(key, String(value))
  }
  const text = words.toString()
  return text === '' ? '' : `?${text}`
}
