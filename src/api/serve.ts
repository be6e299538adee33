// What `tapmesh daemon` runs: configuration, daemon, server, pid file and signals. The only place
// that may end the process.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { dirname } from 'node:path'
import { ConfigError } from '../base/errors.ts'
import { makeLog, type Log } from '../base/log.ts'
import { loadConfig, type Config } from '../daemon/config.ts'
import type { Control } from '../daemon/views.ts'
import { makeDirectory } from '../kernel/directory.ts'
import { refuseIfAnswered, startServer } from './server.ts'
import { ServiceLife } from './service-life.ts'

/** Longest time from the signal to stop until the end of the process. */
export const STOP_TIMEOUT_MS = 10_000

/** What this needs of a daemon. */
export type Served = {
  control: Control
  reload(config: Config): void | Promise<void>
  /** Settles when the packet workers have answered; rejects when one does not. */
  alive(): Promise<void>
  stop(): Promise<void>
  /** Settles with an Error when the daemon cannot go on. */
  failed: Promise<unknown>
}
export type Start = (config: Config, log: Log) => Promise<Served>

/**
 * Run the daemon until SIGTERM, SIGINT or a fatal error.
 * @param configPath  undefined: the usual file if it is there
 * @throws what kept it from starting, or from going on; everything is undone then
 */
export async function serve(
  configPath: string | undefined, start: Start = startReal, stopTimeoutMs = STOP_TIMEOUT_MS,
): Promise<void> {
  const config = loadConfig(configPath)
  const log = await makeLog(config.log, config.node.name)
  const life = new ServiceLife(log)
  const leaveLate = () => setTimeout(() => {
    log.fatal({ stopTimeoutMs }, 'not stopped in time, leaving')
    process.exit(1)
  }, stopTimeoutMs).unref()
  const end = watchForEnd(log)
  end.reached.then(leaveLate, leaveLate)
  end.reached.catch(() => {}).finally(() => life.stopping())
  const undo: (() => unknown)[] = [end.unwatch]
  try {
    // Asked first: a second daemon must not touch what the first one holds in the kernel.
    await refuseIfAnswered(config.paths.socket)
    const daemon = await start(config, log)
    undo.push(() => daemon.stop())
    const server = await startServer({
      socketPath: config.paths.socket, control: daemon.control, log: log.child({ room: 'api' }),
    })
    undo.push(() => server.close())
    undo.push(writePidFile(config.paths.pidFile))
    undo.push(reloadOnHangup(daemon, configPath, life, log))
    log.info({ socket: config.paths.socket, pid: process.pid }, 'API ready')
    life.ready(daemon)
    undo.push(() => life.close())
    flushCompileCache() // the next start need not load the TypeScript compiler
    await Promise.race([end.reached, fatal(daemon, log)])
  } catch (error) {
    leaveLate()
    throw error
  } finally {
    for (const step of undo.reverse()) await quietly(step, log)
  }
  log.info('daemon stopped')
}

/** Loaded here and not above: a wrong configuration is told before anything of the kernel is. */
async function startReal(config: Config, log: Log): Promise<Served> {
  const { startDaemon } = await import('../daemon/daemon.ts')
  return startDaemon(config, log)
}

/** Resolves at the first signal to stop, later ones change nothing; rejects at what none caught. */
function watchForEnd(log: Log): { reached: Promise<void>; unwatch(): void } {
  const { promise: reached, resolve, reject } = Promise.withResolvers<void>()
  const onSignal = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping')
    resolve()
  }
  const onFault = (error: unknown) => {
    log.fatal({ err: error }, 'unforeseen, stopping')
    reject(error)
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  process.on('uncaughtException', onFault).on('unhandledRejection', onFault)
  // The signals stay watched: one more of them, a moment before the end, must not cut it short.
  const unwatch = () => {
    process.off('uncaughtException', onFault).off('unhandledRejection', onFault)
  }
  return { reached, unwatch }
}

/** Rejects when the daemon says that it cannot go on. */
async function fatal(daemon: Served, log: Log): Promise<never> {
  const error = await daemon.failed.catch((reason: unknown) => reason)
  log.fatal({ err: error }, 'daemon failed')
  throw error
}

/**
 * Have the daemon use what of a changed configuration it can; a wrong one changes nothing.
 * @returns stops listening for SIGHUP
 */
function reloadOnHangup(
  daemon: Served, configPath: string | undefined, life: ServiceLife, log: Log,
): () => void {
  const onHangup = async () => {
    life.tell('RELOADING=1')
    try {
      await daemon.reload(loadConfig(configPath))
    } catch (error) {
      log.error({ err: error }, 'configuration not changed')
    }
    life.tell('READY=1')
  }
  process.on('SIGHUP', onHangup)
  return () => process.off('SIGHUP', onHangup)
}

/** @returns removes the file again, if it is still ours */
function writePidFile(path: string): () => void {
  const text = `${process.pid}\n`
  try {
    makeDirectory(dirname(path), 0o755)
    writeFileSync(path, text, { mode: 0o644 })
  } catch (error) {
    throw new ConfigError(`cannot write the pid file: ${(error as Error).message}`, { path }, error)
  }
  return () => {
    if (readFileSync(path, 'utf8') === text) rmSync(path)
  }
}

/** The steps of stopping do not depend on each other: one that fails keeps none from running. */
async function quietly(step: () => unknown, log: Log): Promise<void> {
  try {
    await step()
  } catch (error) {
    log.error({ err: error }, 'a step of stopping failed')
  }
}
