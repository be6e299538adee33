// tapmesh cluster rotate-keys: a new gossip key, while no message is lost.
import type { Command } from 'commander'
import { clientOf, addSocketOption } from '../connect.ts'
import { print } from '../output.ts'
import { addExample } from '../words.ts'

export function define(command: Command): void {
  command.action(async () => {
    const { keys } = await clientOf(command).rotateKeys()
    print(`Gossip keys rotated: generation ${keys?.generation}.`)
  })
  addSocketOption(command)
  addExample(command, 'tapmesh cluster rotate-keys')
}
