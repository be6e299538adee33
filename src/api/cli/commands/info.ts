// tapmesh info: this node and its cluster in the words of Docker's `info`, which scripts read.
import { cpus, release, totalmem, type } from 'node:os'
import type { Command } from 'commander'
import type { Client, NodeView, StatusView, TaskView } from '../../client.ts'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { compileTemplate } from '../template/template.ts'
import { addExample } from '../words.ts'

type Info = Awaited<ReturnType<typeof infoOf>>

export function define(command: Command): void {
  command
    .option('-f, --format <format>', '"json", or a template such as \'{{.Swarm.LocalNodeState}}\'')
    .action(async ({ format }: { format?: string }) => {
      const template = format === undefined || format === 'json' ? JSON.stringify
        : compileTemplate(format)
      const info = await infoOf(clientOf(command))
      print(format === undefined ? infoText(info) : template(info))
    })
  addSocketOption(command)
  addExample(command, 'tapmesh info', "tapmesh info -f '{{.Swarm.LocalNodeState}}'")
}

async function infoOf(client: Client) {
  const [status, tasks] = await Promise.all([client.status(), client.tasks()])
  const nodes = status.cluster === null ? [] : await client.nodes()
  const isIn = (...states: TaskView['state'][]): number =>
    tasks.filter(({ state }) => states.includes(state)).length
  return {
    ID: status.cluster?.nodeId ?? '', Name: status.node, ServerVersion: status.version,
    Containers: tasks.length, ContainersRunning: isIn('created', 'running', 'stopping'),
    ContainersPaused: 0, ContainersStopped: isIn('exited', 'failed'),
    Networks: status.networks.length, Driver: 'overlay', OSType: type().toLowerCase(),
    KernelVersion: release(), NCPU: cpus().length, MemTotal: totalmem(),
    Swarm: swarmOf(status, nodes),
  }
}

function swarmOf({ cluster, underlay }: StatusView, nodes: readonly NodeView[]) {
  const managers = nodes.filter(({ role }) => role === 'manager')
  return {
    NodeID: cluster?.nodeId ?? '', NodeAddr: cluster === null ? '' : underlay.address,
    LocalNodeState: cluster === null ? 'inactive' : 'active',
    ControlAvailable: cluster?.role === 'manager', Error: '',
    RemoteManagers: managers.map(({ id, mesh }) => ({ NodeID: id, Addr: mesh })),
    Nodes: nodes.length, Managers: managers.length,
    Cluster: cluster === null ? null : { ID: cluster.id, Name: cluster.name },
  }
}

function infoText(info: Info): string {
  return [
    'Server:', ` Containers: ${info.Containers}`, `  Running: ${info.ContainersRunning}`,
    `  Paused: ${info.ContainersPaused}`, `  Stopped: ${info.ContainersStopped}`,
    ` Networks: ${info.Networks}`, ` Server Version: ${info.ServerVersion}`,
    ...swarmLines(info.Swarm),
    ` Kernel Version: ${info.KernelVersion}`, ` OSType: ${info.OSType}`, ` CPUs: ${info.NCPU}`,
    ` Total Memory: ${(info.MemTotal / 2 ** 30).toFixed(2)}GiB`, ` Name: ${info.Name}`,
  ].join('\n')
}

function swarmLines(swarm: Info['Swarm']): string[] {
  if (swarm.Cluster === null) return [` Swarm: ${swarm.LocalNodeState}`]
  return [
    ` Swarm: ${swarm.LocalNodeState}`, `  NodeID: ${swarm.NodeID}`,
    `  Is Manager: ${swarm.ControlAvailable}`, `  ClusterID: ${swarm.Cluster.ID}`,
    `  Managers: ${swarm.Managers}`, `  Nodes: ${swarm.Nodes}`,
    `  Node Address: ${swarm.NodeAddr}`, '  Manager Addresses:',
    ...swarm.RemoteManagers.map(({ Addr }) => `   ${Addr}`),
  ]
}
