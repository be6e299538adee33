// docs/openapi.json: tasks of this node.
import { z } from 'zod'
import type { TaskView, WaitView } from '../../daemon/views.ts'
import type { PlugView } from '../../daemon/way-out-views.ts'
import { endpointShape } from './endpoint.ts'
import { json, labelsShape, nothingAnswered, type Operations, shapeOf, time } from './operation.ts'

const state = z.enum(['created', 'running', 'stopping', 'exited', 'failed'])

const plugShape = shapeOf<PlugView>('Plug')(z.strictObject({
  network: z.string(),
  interface: z.string(),
  address: z.string().describe('"172.18.0.3"'),
  prefix: z.int(),
  gateway: z.string(),
  mac: z.string(),
  mtu: z.int(),
  device: z.string().describe("The host's end of it"),
}))

export const taskShape = shapeOf<TaskView>('Task')(z.strictObject({
  id: z.string().describe('64 hex digits'),
  name: z.string(),
  state,
  error: z.string().nullable().describe('Why it failed, when it did'),
  pid: z.int().nullable(),
  exitCode: z.int().nullable(),
  hostname: z.string().describe('12 hex digits, unless it was given another one'),
  netns: z.string().describe('As `ip netns` shows it'),
  directory: z.string()
    .describe('Folder of the host that holds its log, the files of its own in /etc, and so on'),
  command: z.array(z.string()).describe('Empty: a bare namespace'),
  user: z.string().nullable().describe('null: root'),
  runtime: z.enum(['process', 'crun']),
  rootfs: z.string().nullable(),
  stopGraceMs: z.int().describe('From SIGTERM to SIGKILL'),
  labels: labelsShape,
  service: z.strictObject({ service: z.string(), slot: z.string(), taskId: z.string() })
    .nullable().describe('The service whose task it is; null: it was started by hand'),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  promiscuous: z.boolean(),
  remove: z.boolean().describe('It is removed when its process ends'),
  endpoints: z.array(endpointShape),
  wayOut: plugShape.nullable().describe('Its way out of the cluster; null: it has none'),
}))

export const waitShape = shapeOf<WaitView>('Ended')(z.strictObject({
  exitCode: z.int().nullable(),
  state,
}))

export const taskOperations: Operations = {
  'GET /v1/tasks': { id: 'tasks', summary: 'List tasks of this node, ended ones too',
    answer: json(z.array(taskShape)) },
  'POST /v1/tasks': { id: 'runTask', summary: 'Start a task',
    description: 'Answers when its process runs. In a network of a cluster that waits for an '
      + 'address, 10 seconds at most.',
    status: 201, answer: json(taskShape) },
  'GET /v1/tasks/:task': { id: 'task', summary: 'Show a task', answer: json(taskShape) },
  'DELETE /v1/tasks/:task': { id: 'removeTask', summary: 'Remove a task with its log',
    description: '409 when it runs and `force` is not true.',
    status: 204, answer: nothingAnswered },
  'POST /v1/tasks/:task/stop': { id: 'stopTask', summary: 'End a task: SIGTERM, later SIGKILL',
    description: 'Answers when its processes are gone.', answer: json(taskShape) },
  'POST /v1/tasks/:task/kill': { id: 'killTask', summary: 'Send a signal to a task',
    status: 204, answer: nothingAnswered },
  'GET /v1/tasks/:task/wait': { id: 'waitTask', summary: 'Wait for the end of a task',
    description: 'Answers when its process has ended, however long that takes.',
    answer: json(waitShape) },
  'GET /v1/tasks/:task/logs': { id: 'taskLog', summary: 'Read what a task wrote',
    description: 'Octets of its stdout and stderr, as they were written. With `follow` they come '
      + 'as they are written, until its process has ended.',
    answer: { kind: 'octets' } },
}
