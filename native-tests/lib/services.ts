// What tests of services ask of a lab.
import type { ServiceTaskView, ServiceView } from '../../src/daemon/service-views.ts'
import type { Lab } from './lab.ts'
import { until } from './wait.ts'

export const servicesOf = (lab: Lab, node: string) => lab.api<ServiceView[]>(node, 'services')
export const serviceOf = (lab: Lab, node: string, name: string) =>
  lab.api<ServiceView>(node, `services/${name}`)

/** Those that have not ended, on nodes that are here. */
export async function liveTasksOf(lab: Lab, node: string, name: string):
  Promise<ServiceTaskView[]> {
  return (await lab.api<ServiceTaskView[]>(node, `services/${name}/tasks`))
    .filter(task => task.state === 'running' && task.desired === 'running' && !task.isAway)
}

/** Waits until so many tasks of a service run, as `node` sees it; answers them. */
export function untilRunning(lab: Lab, node: string, name: string, count: number,
  timeoutMs?: number): Promise<ServiceTaskView[]> {
  return until(`${count} tasks of ${name} run`, async () => {
    const tasks = await liveTasksOf(lab, node, name)
    return tasks.length === count && tasks
  }, timeoutMs)
}
