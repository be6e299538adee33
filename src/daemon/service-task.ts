// The local task that a slot of a service becomes.
import type { StartOrder } from '../cluster/services/orders.ts'
import { taskName } from '../cluster/services/rows.ts'
import { fillTemplate, type TemplateValues } from './service-template.ts'
import type { TaskSpec } from './views.ts'

/** The names that Docker gives them: `ps --filter label=…` is used with these. */
const LABEL = 'com.docker.swarm'

/** @throws UsageError when a template in it cannot be filled */
export function taskSpecOf({ task, service, slot, node, networks }: StartOrder): TaskSpec {
  const { name, task: template } = service.spec
  const fullName = taskName(name, slot, task)
  const values: TemplateValues = {
    '.Service.ID': service.id,
    '.Service.Name': name,
    '.Task.ID': task,
    '.Task.Name': fullName,
    '.Task.Slot': slot,
    '.Node.ID': node.id,
    '.Node.Hostname': node.name,
  }
  const { command, runtime, stopGraceMs } = template
  return {
    name: fullName,
    networks: networks.map(({ network, address }) => ({ network, address })),
    command: [...command],
    env: template.env.map(entry => fillTemplate(entry, values)),
    workdir: template.workdir ?? undefined,
    user: template.user ?? undefined,
    hostname: template.hostname === null ? undefined : fillTemplate(template.hostname, values),
    rootfs: template.rootfs ?? undefined,
    runtime,
    stopGraceMs,
    labels: {
      [`${LABEL}.node.id`]: node.id,
      [`${LABEL}.service.id`]: service.id,
      [`${LABEL}.service.name`]: name,
      [`${LABEL}.task.id`]: task,
      [`${LABEL}.task.name`]: fullName,
    },
    service: { service: service.id, slot, taskId: task },
    promiscuous: false,
    remove: false,
  }
}
