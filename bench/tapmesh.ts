// The subject of it all: one daemon per host, started and told what to do as a user does.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exec } from '../src/base/exec.ts'
import type { Host, Hosts, Running } from './hosts.ts'
import { BenchError, fileIn, lastWords, waitUntil } from './hosts.ts'
import type { DataPath, End, Subject } from './subjects.ts'
import { onBoth, TUNNEL_MTU, tunnelAddress, VNI } from './subjects.ts'

export const TAPMESH = join(import.meta.dirname, '..', 'bin', 'tapmesh')
const START_TIMEOUT_MS = 15_000
const STATUS_TIMEOUT_MS = 5_000

/** With one packet worker, as it is when nothing is configured. */
export const tapmesh: Subject = withWorkers('tapmesh', 1)
/** With several of them. They are not part of the usual runs; see docs/decisions/0018. */
export const tapmeshWorkers: readonly Subject[] = [2, 4].map(workers =>
  withWorkers(`tapmesh-w${workers}`, workers))

function withWorkers(name: string, workers: number): Subject {
  return { name, needs: {}, version, raise: hosts => raise(hosts, workers) }
}

export async function version(): Promise<string> {
  const root = join(import.meta.dirname, '..')
  const version = await exec([TAPMESH, '--version'])
  const commit = await exec(['git', '-C', root, 'describe', '--always', '--dirty'])
  return `${version.stdout.trim().replace(/^tapmesh /, '')} (${commit.stdout.trim() || 'no git'})`
}

async function raise(hosts: Hosts['pair'], workers: number): Promise<DataPath> {
  const daemons = await onBoth(hosts, host => startDaemon(host, workers))
  const ends = await onBoth(hosts, addTask)
  return { mtu: TUNNEL_MTU, ends, daemons }
}

/** One that answers. */
export async function startDaemon(host: Host, workers: number): Promise<Running> {
  // Under the host's own /run, so that it goes with the host.
  writeFileSync(fileIn(host, '/run/tapmesh.yaml'), configOf(host, workers))
  const daemon = await host.start([TAPMESH, 'daemon', '--config', '/run/tapmesh.yaml'])
  let over = false
  void daemon.ended.then(() => void (over = true))
  await waitUntil(async () => over || await answers(host), START_TIMEOUT_MS, 'tapmesh daemon')
    .catch((error: Error) => {
      throw new BenchError(`${error.message}: ${lastWords(daemon.output())}`)
    })
  if (over) throw new BenchError(`tapmesh daemon ended: ${lastWords(daemon.output())}`)
  return daemon
}

async function answers(host: Host): Promise<boolean> {
  if (!existsSync(fileIn(host, '/run/tapmesh/tapmesh.sock'))) return false
  return await host.run([TAPMESH, 'status'], null, STATUS_TIMEOUT_MS).then(() => true, () => false)
}

function configOf(host: Host, workers: number): string {
  return `node:\n  name: ${host.name}\nunderlay:\n  address: ${host.address}\n`
    + `paths:\n  run: /run/tapmesh\n  state: /run/tapmesh-state\nplane:\n  workers: ${workers}\n`
}

async function addTask(host: Host, other: Host): Promise<End> {
  const name = `e${host.index}`
  const address = tunnelAddress(host)
  await host.run([TAPMESH, 'network', 'create', '--subnet', '10.77.0.0/24', '--vni', String(VNI),
    'bench'])
  await host.run([TAPMESH, 'vtep', 'add', other.address])
  await host.run([TAPMESH, 'run', '-d', '--name', name, '--network', `bench,ip=${address}`])
  return { host, netns: `tm-${name}`, address }
}
