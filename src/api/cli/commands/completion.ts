// tapmesh completion: what a shell is to source, so that the Tab key works.
import type { Command } from 'commander'
import { UsageError } from '../../../base/errors.ts'
import { COMPLETION_SCRIPTS } from '../completion-scripts.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .description('Print what a shell is to read, so that the Tab key completes commands, options, '
      + 'and the names of networks, nodes, services and tasks.')
    .argument('<shell>', '"bash", "zsh" or "fish"')
    .action((shell: string) => {
      if (!Object.hasOwn(COMPLETION_SCRIPTS, shell)) {
        throw new UsageError(`"${shell}" is not one of: ${
          Object.keys(COMPLETION_SCRIPTS).join(', ')}`)
      }
      process.stdout.write(COMPLETION_SCRIPTS[shell]!)
    })
  addExample(command, 'tapmesh completion bash >/etc/bash_completion.d/tapmesh',
    'tapmesh completion fish >~/.config/fish/completions/tapmesh.fish')
}
