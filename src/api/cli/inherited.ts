// Runs a program in our place: with our terminal, and its exit code as ours.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { AbsentError } from '../../base/errors.ts'
import { EXIT_SIGNAL_BASE } from './failure.ts'

const PASSED_ON = ['SIGTERM', 'SIGHUP'] as const
/** The terminal sends these to the program itself; we only must not end before it. */
const LEFT_TO_IT = ['SIGINT', 'SIGQUIT'] as const

/**
 * @returns exit code, 128 + N when signal N ended it
 * @throws  AbsentError when the program is not installed
 */
export async function runInherited(argv: string[]): Promise<number> {
  const [file = '', ...args] = argv
  const child = spawn(file, args, { stdio: 'inherit' })
  const pass = (signal: NodeJS.Signals) => child.kill(signal)
  const leave = () => {}
  for (const signal of PASSED_ON) process.on(signal, pass)
  for (const signal of LEFT_TO_IT) process.on(signal, leave)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', error => reject(new AbsentError(
        `cannot run ${file}: ${error.message}; it comes with the package util-linux`, { file })))
      child.on('exit', (code, signal) => resolve(signal === null
        ? code ?? EXIT_SIGNAL_BASE : EXIT_SIGNAL_BASE + constants.signals[signal]))
    })
  } finally {
    for (const signal of PASSED_ON) process.off(signal, pass)
    for (const signal of LEFT_TO_IT) process.off(signal, leave)
  }
}
