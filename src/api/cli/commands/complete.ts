// tapmesh __complete: what may stand at the end of a command line; shells ask it, not people.
import type { Command } from 'commander'
import { completionsOf } from '../completion.ts'
import { makeWholeProgram } from '../main.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .argument('[words...]', 'what stands after "tapmesh", the last one being written')
    .action(async (words: string[]) => {
      const found = await completionsOf(await makeWholeProgram(), words)
      print(found.map(({ value, says }) => `${value}\t${says}`).join('\n'))
    })
  addExample(command, 'tapmesh __complete -- network ""')
}
