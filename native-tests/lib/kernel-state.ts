// What a node's kernel and disk hold of tasks, to be compared: before and after.
import type { Lab } from './lab.ts'

export type KernelState = Readonly<Record<
  'processes' | 'namespaces' | 'devices' | 'mounts' | 'groups' | 'kept', readonly string[]
>>

/** Processes with their words, namespaces, devices, mounts, control groups, folders. */
export async function kernelState(lab: Lab, node: string): Promise<KernelState> {
  const lines = async (script: string) =>
    (await lab.sh(node, script)).split('\n').filter(line => line !== '')
  return {
    processes: (await lines('ps -eo args --sort=pid'))
      .filter(args => !/ps -eo|bash -euc|sleep infinity|<defunct>/.test(args)),
    namespaces: await lines('ip netns; ls /run/netns'),
    devices: await lines('ls /sys/class/net'),
    // From the node's own /run on; those before are the machine's. /run/netns itself becomes
    // a mount point with the first name, as `ip netns` has it.
    mounts: await lines('cut -d" " -f5 /proc/self/mountinfo | tac | sed "/^\\/run$/q" '
      + '| grep -vx /run/netns'),
    groups: await lines(`groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
      find "$groups/tapmesh.slice" -mindepth 1 -type d 2>/dev/null || true`),
    kept: await lines('ls /var/lib/tapmesh/tasks 2>/dev/null || true'),
  }
}
