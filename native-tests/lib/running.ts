// A program that runs beside the test until it is stopped.
import { spawn, type ChildProcess } from 'node:child_process'
import { within } from './wait.ts'

const SIGNAL_BASE = 128

export class Running {
  stdout = ''
  stderr = ''
  /** What stdout was before it became text. */
  readonly octets: Buffer[] = []
  /** Exit code, when the output is complete; 128 if a signal ended it. */
  readonly ended: Promise<number>
  readonly #child: ChildProcess

  constructor([file = '', ...args]: readonly string[]) {
    this.#child = spawn(file, args, { stdio: 'pipe' })
    this.#child.stdout!.on('data', (chunk: Buffer) => {
      this.octets.push(chunk)
      this.stdout += chunk.toString()
    })
    this.#child.stderr!.on('data', (chunk: Buffer) => { this.stderr += chunk.toString() })
    // A program that has ended does not read; what is written to it is lost, and that is no fault.
    this.#child.stdin!.on('error', () => {})
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', code => resolve(code ?? SIGNAL_BASE))
    })
    this.ended.catch(() => {})
  }

  write(text: string): void {
    this.#child.stdin!.write(text)
  }

  /** Ask it to end; answers its exit code when it has. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    this.#child.kill(signal)
    return within(`end of ${this.#child.spawnargs.join(' ')}`, this.ended)
  }
}
