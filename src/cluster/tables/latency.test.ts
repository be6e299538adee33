// How soon a change is everywhere: the aims, with some room, in a network that loses 2 in 100.
import test from 'ava'
import { measureLatency } from './latency.test-kit.ts'

const aims: [nodes: number, samples: number, p50Ms: number, p99Ms: number][] = [
  [3, 500, 10, 110],
  [10, 200, 20, 250],
  [50, 60, 120, 500],
  [100, 20, 200, 600],
]
for (const [nodes, samples, p50Ms, p99Ms] of aims) {
  test(`a change gets to ${nodes} nodes in time`, t => {
    t.timeout(120_000)
    const latency = measureLatency(nodes, samples, 20, nodes)
    t.true(latency.p50Ms <= p50Ms, `half of the time ${latency.p50Ms} ms`)
    t.true(latency.p99Ms <= p99Ms, `99 of 100 times ${latency.p99Ms} ms`)
    t.true(latency.worstMs < 2000, `at worst ${latency.worstMs} ms`)
    t.true(latency.idleOctetsPerSecond < 300, `${latency.idleOctetsPerSecond} octets a second`)
    t.true(latency.messagesPerNode < 15, `${latency.messagesPerNode} messages for each node`)
  })
}
