// What tests of services ask of a lab.
import type { BalancedView } from '../../src/daemon/lb-views.ts'
import type { ServiceTaskView, ServiceView } from '../../src/daemon/service-views.ts'
import type { TaskView } from '../../src/daemon/views.ts'
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

/** Where in the lab a task of a service runs: "node1/TASK". */
export async function placeOf(lab: Lab, { id, node }: ServiceTaskView): Promise<string> {
  const tasks = await lab.api<TaskView[]>(node!.name, 'tasks')
  const found = tasks.find(one => one.name.endsWith(id))!
  return `${node!.name}/${found.netns.replace(/^tm-/, '')}`
}

/** Waits until this node leads the port to the packet path. */
export async function untilSteered(lab: Lab, node: string, port: number,
  protocol = 'tcp'): Promise<void> {
  await until(`${node} leads ${port}/${protocol} to us`, async () =>
    (await lab.out(node, 'ip', 'rule')).includes(`ipproto ${protocol} dport ${port} lookup 4096`))
}

/** Waits until `nodes` lead published ports to so many tasks of the service. */
export async function untilLed(lab: Lab, service: string, tasks: number,
  nodes = lab.nodes): Promise<void> {
  for (const node of nodes) {
    await until(`${node} leads to ${tasks} tasks of ${service}`, async () => {
      const all = await lab.api<BalancedView[]>(node, 'lb/services')
      const found = all.find(one => one.service === service && one.network === 'ingress')
      return found?.backends.filter(({ weight }) => weight > 0).length === tasks
    }, 30_000)
  }
}
