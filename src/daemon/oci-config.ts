// What an OCI runtime is told of a task: config.json of the runtime specification, with Docker's
// defaults where it is silent. The network namespace is the task's own, made before; the other
// namespaces are the runtime's to make.
import { HOST_ROOT, inRoot } from './rootfs.ts'
import { TASK_FILES } from './task-files.ts'
import type { TaskUser } from './task-user.ts'

/** Of the specification whose shapes stand here. */
const OCI_VERSION = '1.0.2'

/**
 * Docker's default set but for MKNOD: there it is harmless only because a control group refuses
 * devices, and our groups do not.
 */
const CAPABILITIES = [
  'CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP',
  'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE',
].map(name => `CAP_${name}`)

const MASKED_PATHS = [
  '/proc/asound', '/proc/acpi', '/proc/interrupts', '/proc/kcore', '/proc/keys',
  '/proc/latency_stats', '/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/proc/scsi',
  '/sys/firmware', '/sys/devices/virtual/powercap',
]
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

type Mount = Readonly<{
  destination: string
  type: string
  source: string
  options: readonly string[]
}>

const NO_PROGRAMS = ['nosuid', 'noexec', 'nodev']
const KERNEL_MOUNTS: readonly Mount[] = [
  mount('/proc', 'proc', NO_PROGRAMS),
  mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
  mount('/dev/pts', 'devpts',
    ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
  mount('/dev/shm', 'tmpfs', [...NO_PROGRAMS, 'mode=1777', 'size=65536k']),
  mount('/dev/mqueue', 'mqueue', NO_PROGRAMS),
  mount('/sys', 'sysfs', [...NO_PROGRAMS, 'ro']),
]

export type OciTask = Readonly<{
  rootfs: string
  command: readonly string[]
  /** "KEY=VALUE" */
  env: readonly string[]
  workdir: string | null
  user: TaskUser
  hostname: string
  /** Path of its network namespace. */
  netns: string
  /** Folder of the task, with its files. */
  directory: string
}>

/** The value of config.json. */
export function ociConfig(task: OciTask): Record<string, unknown> {
  const { uid, gid, groups } = task.user
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: false,
      user: { uid, gid, additionalGids: groups },
      args: task.command,
      env: task.env,
      cwd: task.workdir ?? HOST_ROOT,
      capabilities: {
        bounding: CAPABILITIES,
        effective: uid === 0 ? CAPABILITIES : [],
        permitted: uid === 0 ? CAPABILITIES : [],
        inheritable: [],
        ambient: [],
      },
      noNewPrivileges: false,
    },
    root: { path: task.rootfs, readonly: false },
    hostname: task.hostname,
    mounts: [...KERNEL_MOUNTS, ...fileMounts(task)],
    linux: {
      namespaces: [
        { type: 'network', path: task.netns },
        ...['pid', 'ipc', 'uts', 'mount'].map(type => ({ type })),
      ],
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  }
}

/** Where the root file system has none of these, the runtime makes empty ones to mount upon. */
function fileMounts({ rootfs, directory }: OciTask): Mount[] {
  return Object.entries(TASK_FILES)
    .filter(([, destination]) => inRoot(rootfs, destination) !== null)
    .map(([name, destination]) => ({
      destination, type: 'bind', source: `${directory}/${name}`, options: ['rbind', 'rprivate'],
    }))
}

function mount(destination: string, type: string, options: readonly string[]): Mount {
  return { destination, type, source: type, options }
}
