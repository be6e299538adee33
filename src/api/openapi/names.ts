// docs/openapi.json: names.
import { z } from 'zod'
import type { DnsNameView, DnsWhyView } from '../../daemon/dns-views.ts'
import { json, type Operations, shapeOf } from './operation.ts'

export const whyShape = shapeOf<DnsWhyView>('NameWhy')(z.strictObject({
  name: z.string(),
  type: z.string(),
  task: z.string().nullable(),
  networks: z.array(z.string()).describe('Names of the networks that are asked, in this order'),
  steps: z.array(z.string()).describe('What was looked at, one after the other'),
  rcode: z.string().describe('"NOERROR", "NXDOMAIN", …'),
  answers: z.array(z.strictObject({
    type: z.string(), data: z.string(), ttlSeconds: z.number(),
  })),
  tookMs: z.number(),
}))

export const nameShape = shapeOf<DnsNameView>('Name')(z.strictObject({
  network: z.string(),
  name: z.string(),
  kind: z.enum(['service', 'alias', 'task']),
  addresses: z.array(z.string()),
}))

export const nameOperations: Operations = {
  'GET /v1/dns/names': { id: 'dnsNames', summary: 'List names that tasks can ask for',
    answer: json(z.array(nameShape)) },
  'GET /v1/dns/why': { id: 'dnsWhy', summary: 'Ask for a name, and tell how the answer comes about',
    description: 'Asks the name servers of the host, too, 4 seconds at most.',
    answer: json(whyShape) },
}
