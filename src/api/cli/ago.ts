// Lengths of time in the words that Docker's listings use.

const MINUTE_S = 60
const HOUR_S = 60 * MINUTE_S
const DAY_S = 24 * HOUR_S

/** 5_000 -> "5 seconds", 200_000 -> "3 minutes" */
export function durationText(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < MINUTE_S) return `${seconds} seconds`
  const minutes = Math.floor(seconds / MINUTE_S)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.round(seconds / HOUR_S)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  const days = Math.floor(seconds / DAY_S)
  if (days < 14) return `${days} days`
  if (days < 60) return `${Math.floor(days / 7)} weeks`
  if (days < 730) return `${Math.floor(days / 30)} months`
  return `${Math.floor(days / 365)} years`
}

/** Time from `since` (ISO 8601) until `nowMs`, never below zero. */
export function elapsedText(since: string, nowMs: number): string {
  return durationText(Math.max(0, nowMs - Date.parse(since)))
}
