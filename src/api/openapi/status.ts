// docs/openapi.json: the state of the daemon.
import { z } from 'zod'
import type { StatusView } from '../../daemon/views.ts'
import type { WayOutView } from '../../daemon/way-out-views.ts'
import { clusterShape } from './cluster.ts'
import { endpointShape } from './endpoint.ts'
import { networkShape, vtepShape } from './networks.ts'
import { count, counters, json, type Operations, shapeOf, time } from './operation.ts'

const wayOutShape = shapeOf<WayOutView>('WayOut')(z.strictObject({
  state: z.enum(['open', 'closed', 'off']),
  reason: z.string().nullable().describe('Why it is closed'),
  subnet: z.string().nullable().describe('null: none was chosen yet'),
  gateway: z.string().nullable(),
  device: z.string().describe("The host's, which has the gateway's address"),
  tasks: count,
  opened: z.array(z.string()).describe('Devices that pass on packets because we told them to'),
}))

export const statusShape = shapeOf<StatusView>('Status')(z.strictObject({
  node: z.string(),
  version: z.string(),
  pid: z.int(),
  startedAt: time,
  underlay: z.strictObject({
    device: z.string(),
    address: z.string(),
    port: z.int(),
    mtu: z.int(),
    udpChecksum: z.boolean(),
    sourcePorts: z.array(z.int()),
  }),
  plane: z.strictObject({
    generation: count.describe('Of the tables that the packet workers have'),
    networks: count,
    ports: count,
    workers: count.describe('Packet workers'),
    multiQueuePorts: count.describe('Ports of which each worker reads a queue of its own'),
    learned: count,
    flows: count.describe('Flows to virtual addresses'),
    features: z.strictObject({
      tcpSegmentation: z.boolean(),
      udpSegmentation: z.boolean(),
      udpSegment: z.boolean(),
      udpGro: z.boolean(),
      multiQueue: z.boolean(),
    }).describe('What this kernel has and the configuration leaves on'),
  }),
  cluster: clusterShape.nullable().describe('null: this node is in no cluster'),
  networks: z.array(networkShape),
  endpoints: z.array(endpointShape),
  vteps: z.array(vtepShape),
  dns: z.strictObject({
    servers: count.describe('Tasks whose names are served'),
    upstreams: z.array(z.string()).describe('Name servers of the host'),
  }),
  wayOut: wayOutShape.describe('How tasks reach what is outside of the cluster'),
  counters: counters.describe('Frames, octets and questions by name; docs/CLI.md explains each'),
  drops: counters.describe('Dropped frames by reason'),
}))

export const statusOperations: Operations = {
  'GET /v1/status': { id: 'status', summary: 'Show the state of the daemon',
    answer: json(statusShape) },
}
