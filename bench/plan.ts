// What is measured when: a full run measures everything in every round; a quick one spends its five
// minutes on the rows that the bars are set on, and looks at the others once.
import type { Setting } from './hosts.ts'
import type { Effort, Probe } from './probes.ts'
import {
  largeClean, memory, pingBusy, pingIdle, requests, requestsApart, smallBlast, smallClean, tcpFour,
  tcpOne, tcpReverse,
} from './probes.ts'

export type Mode = 'full' | 'quick' | 'smoke'

export type Plan = Readonly<{
  mode: Mode
  effort: Effort
  rounds: number
  /** Never fewer rounds than `roundsMin`; more only as long as they end within `budgetS`. */
  roundsMin: number
  budgetS: number
  /** A disturbed measurement is done again, so often, and as long as `repeatBudgetS` lasts. */
  repeatsMax: number
  repeatBudgetS: number
}>

const MINUTE_S = 60

export const PLANS: Readonly<Record<Mode, Plan>> = {
  full: {
    mode: 'full', rounds: 5, roundsMin: 5, budgetS: 120 * MINUTE_S,
    repeatsMax: 2, repeatBudgetS: 15 * MINUTE_S,
    effort: { tcpSeconds: 4, blastSeconds: 2, stepSeconds: 0.7, askSeconds: 2, pings: 300 },
  },
  quick: {
    mode: 'quick', rounds: 5, roundsMin: 2, budgetS: 4.5 * MINUTE_S,
    repeatsMax: 1, repeatBudgetS: 20,
    effort: { tcpSeconds: 2, blastSeconds: 1, stepSeconds: 0.4, askSeconds: 1, pings: 120 },
  },
  smoke: {
    mode: 'smoke', rounds: 1, roundsMin: 1, budgetS: MINUTE_S, repeatsMax: 0, repeatBudgetS: 0,
    effort: { tcpSeconds: 1, blastSeconds: 0.3, stepSeconds: 0.2, askSeconds: 0.3, pings: 30 },
  },
}

const KEY_PROBES: Readonly<Record<Setting, readonly Probe[]>> = {
  A: [pingIdle, requests, tcpOne, tcpFour, smallBlast, memory],
  B: [tcpOne, memory],
}
const ALL_PROBES: readonly Probe[] = [
  pingIdle, pingBusy, requests, requestsApart, tcpOne, tcpReverse, tcpFour, smallBlast,
  smallClean, largeClean, memory,
]

/**
 * The subjects that the bars are set on. The others are visited in so many rounds of each setting:
 * they are further away than their own spread, and a run of all would take an hour.
 */
const BARRED = new Set(['kvxlan', 'kvxlan-br', 'tapmesh', 'tapmesh-w2', 'tapmesh-w4'])
const OTHERS_ROUNDS: Readonly<Record<Mode, number>> = { full: 2, quick: 1, smoke: 1 }

/** Empty: the subject is not visited. Memory is read last, when the subject has worked. */
export function probesFor(
  mode: Mode, setting: Setting, round: number, subject: string,
): readonly Probe[] {
  if (!BARRED.has(subject) && round >= OTHERS_ROUNDS[mode]) return []
  if (mode !== 'quick') return ALL_PROBES
  if (!BARRED.has(subject)) return KEY_PROBES[setting]
  return setting === 'A' && round === 0 ? ALL_PROBES : KEY_PROBES[setting]
}
