// Run one command without a shell, bounded in time and output.
import { execFile } from 'node:child_process'

export type ExecResult = Readonly<{ code: number; stdout: string; stderr: string }>

export const EXEC_TIMEOUT_MS = 30_000
export const EXEC_OUTPUT_OCTETS_MAX = 16 << 20

/** A command that fails throws nothing: its exit code is in the answer (127: none, 124: late). */
export function exec(argv: readonly string[], timeoutMs = EXEC_TIMEOUT_MS): Promise<ExecResult> {
  const [file = '', ...args] = argv
  const options = { timeout: timeoutMs, maxBuffer: EXEC_OUTPUT_OCTETS_MAX }
  return new Promise(resolve => {
    execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, stdout, stderr })
      const late = error.killed === true
      const code = late ? 124 : typeof error.code === 'number' ? error.code : 127
      resolve({ code, stdout, stderr: stderr === '' ? error.message : stderr })
    })
  })
}
