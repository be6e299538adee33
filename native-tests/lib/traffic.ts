// Traffic as a user makes it: ping, curl, iperf3.
import type { Lab } from './lab.ts'
import type { Running } from './running.ts'
import { until } from './wait.ts'

export type Pinged = { sent: number; received: number; text: string }

/** Send echo requests, by default one that is answered within 2 s. @param options of ping(8) */
export async function ping(lab: Lab, where: string, target: string,
  ...options: string[]): Promise<Pinged> {
  const words = options.length === 0 ? ['-c1', '-W2'] : options
  const { stdout, stderr } = await lab.run(where, 'ping', '-n', ...words, target)
  const counted = /(\d+) packets transmitted, (\d+) received/.exec(stdout)
  return {
    sent: Number(counted?.[1] ?? 0), received: Number(counted?.[2] ?? 0), text: stdout + stderr,
  }
}

/** Wait until a ping is answered. */
export async function untilReached(lab: Lab, where: string, target: string): Promise<void> {
  await until(`${where} reaches ${target}`, async () =>
    (await ping(lab, where, target, '-c1', '-W1')).received === 1)
}

/** The body that a URL answers with. */
export function curl(lab: Lab, where: string, ...words: string[]): Promise<string> {
  return lab.out(where, 'curl', '-sS', '--fail', '--max-time', '20', ...words)
}

/** An iperf3 server, ready for clients until it is stopped. */
export async function iperfServer(lab: Lab, where: string): Promise<Running> {
  const server = lab.start(where, 'iperf3', '--server', '--forceflush')
  await until(`iperf3 server in ${where}`, () => server.stdout.includes('Server listening'))
  return server
}

type Sum = { bytes: number; bits_per_second: number }
export type Iperf = {
  end: {
    sum_sent: Sum
    sum_received: Sum
    /** With UDP only. */
    sum?: Sum & { packets: number; lost_packets: number }
  }
}

/** @param words options of the client, as `['-n', '10M', '-R']` */
export async function iperf(lab: Lab, where: string, target: string,
  ...words: string[]): Promise<Iperf> {
  const { stdout } = await lab.run(where, 'iperf3', '--json', '--client', target, ...words)
  const result = JSON.parse(stdout) as Iperf & { error?: string }
  if (result.error !== undefined) throw new Error(`iperf3: ${result.error}`)
  return result
}

const UDP_TRIES = 5

/**
 * One run of iperf3 with UDP that loses at most `lossMax` of its packets. A machine without a free
 * processor loses packets in the kernel's queues, so a run may be repeated; a way that is broken
 * loses them every time.
 * @param words as for iperf
 * @returns the packets of that run
 * @throws Error with the losses of all UDP_TRIES runs
 */
export async function iperfUdp(lab: Lab, where: string, target: string, lossMax: number,
  ...words: string[]): Promise<number> {
  const losses: string[] = []
  while (losses.length < UDP_TRIES) {
    const { end } = await iperf(lab, where, target, '--udp', ...words)
    const { packets = 0, lost_packets: lost = 0 } = end.sum ?? {}
    if (packets > 0 && lost <= packets * lossMax) return packets
    losses.push(`${lost} of ${packets}`)
  }
  throw new Error(`UDP is lost again and again: ${losses.join(', ')}`)
}
