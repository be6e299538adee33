// tapmesh daemon: the one command that does not speak to a daemon but is one.
import type { Command } from 'commander'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command
    .description('Run the daemon of this host until SIGTERM. SIGHUP reads the configuration again.')
    .option('--config <file>', 'configuration, in YAML')
    .action(async ({ config }: { config?: string }) => {
      const { serve } = await import('../../serve.ts')
      await serve(config)
    })
  addExample(command, 'tapmesh daemon --config /etc/tapmesh/tapmesh.yaml')
}
