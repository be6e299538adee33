// Shapes of requests, shared by routes, client and command line; what is answered has the shapes of
// daemon/views.ts. Requests are checked against these schemas before anything acts on them; unknown keys are refused.
import { z } from 'zod'

export const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/
export const VNI_MAX = 16_777_215
export const COMMAND_WORDS_MAX = 1024
export const NETWORKS_PER_TASK_MAX = 8

const name = z.string().regex(NAME_PATTERN, `a name is 1 to 63 of letters, digits, "_", "." and "-", `
  + 'and begins with a letter or digit')
const text = z.string().max(4096)
const words = z.array(z.string().max(131_072)).max(COMMAND_WORDS_MAX)
const labels = z.record(text, text)

export const networkCreate = z.strictObject({
  name,
  driver: z.literal('overlay', { error: 'the only driver is "overlay"' }).default('overlay'),
  subnet: text.optional(),
  gateway: text.optional(),
  vni: z.int().min(1).max(VNI_MAX).optional(),
  mtu: z.int().min(576).max(65_485).optional(),
  labels: labels.default({}),
})
export type NetworkCreate = z.input<typeof networkCreate>

export const vtepAdd = z.strictObject({
  /** "192.168.56.12" or "192.168.56.12:4789" */
  address: text,
  /** Only for this network; absent: for every network. */
  network: name.optional(),
})
export type VtepAdd = z.input<typeof vtepAdd>

export const taskRun = z.strictObject({
  name: name.optional(),
  networks: z.array(z.strictObject({ network: name, address: text.optional() }))
    .min(1, 'a task needs at least one --network').max(NETWORKS_PER_TASK_MAX),
  /** Empty: a bare namespace. */
  command: words.default([]),
  env: z.array(z.string().regex(/^[^=\0]+=/, 'an environment entry is KEY=VALUE')).max(1024)
    .default([]),
  workdir: text.optional(),
  promiscuous: z.boolean().default(false),
  /** Remove the task when its process ends. */
  remove: z.boolean().default(false),
})
export type TaskRun = z.input<typeof taskRun>

export const taskStop = z.strictObject({ graceMs: z.int().min(0).max(3_600_000).default(10_000) })
export type TaskStop = z.input<typeof taskStop>

export type ErrorView = {
  error: { code: string; message: string; facts: Record<string, unknown> }
}
