// Shapes of questions about names.
import { z } from 'zod'
import { DNS_TYPES } from './question.ts'

const task = z.string().min(1).max(128).optional()
  .describe('As this task hears it; absent: as one on all networks would')
const MESSAGE = 'a name has parts of 1 to 63 characters, with dots between them, and at most 253'

/** GET /v1/dns/why */
export const dnsWhy = z.strictObject({
  name: z.string(MESSAGE).max(254, MESSAGE)
    .regex(/^[^\s.]{1,63}(\.[^\s.]{1,63})*\.?$/, MESSAGE)
    .describe('A name, or an IPv4 address to ask whose it is'),
  type: z.enum(DNS_TYPES, `the types are ${DNS_TYPES.join(', ')}`).optional()
    .describe('Absent: A, or PTR for an address'),
  task,
})

/** GET /v1/dns/names */
export const dnsNames = z.strictObject({ task })
