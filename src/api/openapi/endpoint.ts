// docs/openapi.json: the interface of a task in a network, which several answers show.
import { z } from 'zod'
import type { EndpointView } from '../../daemon/views.ts'
import { shapeOf } from './operation.ts'

export const endpointShape = shapeOf<EndpointView>('Endpoint')(z.strictObject({
  task: z.string().describe('Name of its task'),
  taskId: z.string(),
  network: z.string().describe('Name of its network'),
  interface: z.string().describe('As the task sees it: "eth0"'),
  address: z.string().describe('IPv4, without the prefix: "10.0.1.8"'),
  prefix: z.int(),
  mac: z.string(),
  ipv6: z.string().describe('The link-local one'),
  mtu: z.int(),
  promiscuous: z.boolean().describe('It may send from any address, and hears what nobody takes'),
}))
