// tinc 1.0 in switch mode, without cipher and authentication: frames over UDP, one by one.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Host, Hosts } from '../hosts.ts'
import { fileIn } from '../hosts.ts'
import { firstMatch } from '../machine.ts'
import type { Subject } from '../subjects.ts'
import { moveToEndpoint, onBoth, TUNNEL_MTU } from '../subjects.ts'

const FOLDER = '/run/tinc'
const KEY_BITS = '2048'

export const tinc: Subject = {
  name: 'tinc',
  needs: { tincd: 'tinc' },
  version: () => firstMatch(['tincd', '--version'], /tinc version (\S+)/),
  async raise(hosts) {
    await onBoth(hosts, configureNode)
    exchangeKeys(hosts)
    const daemons = await onBoth(hosts, host => {
      const words = ['tincd', '-c', FOLDER, '--pidfile=/run/tinc.pid', '-D', '-d1']
      return host.start(words, null, /Ready/)
    })
    const ends = await onBoth(hosts, host => moveToEndpoint(host, 'tap0'))
    return { mtu: TUNNEL_MTU, ends, daemons }
  },
}

async function configureNode(host: Host, other: Host): Promise<void> {
  mkdirSync(fileIn(host, `${FOLDER}/hosts`), { recursive: true })
  const connect = host.index === 1 ? `ConnectTo = ${other.name}\n` : ''
  writeFileSync(fileIn(host, `${FOLDER}/tinc.conf`), `Name = ${host.name}\nMode = switch\n`
    + `Interface = tap0\nAddressFamily = ipv4\nBindToAddress = ${host.address} 655\n${connect}`)
  // Until tinc knows the path's MTU, for half a minute, it sends large frames over TCP. Without the
  // discovery it takes UDP at once, which is what it does for the rest of its life.
  writeFileSync(publicFile(host, host), `Address = ${host.address} 655\nCipher = none\n`
    + 'Digest = none\nPMTUDiscovery = no\n')
  await host.run(['sh', '-c', `exec tincd -c ${FOLDER} -K ${KEY_BITS} </dev/null`])
}

function exchangeKeys([one, two]: Hosts['pair']): void {
  appendFileSync(publicFile(two, one), readFileSync(publicFile(one, one)))
  appendFileSync(publicFile(one, two), readFileSync(publicFile(two, two)))
}

/** What `at` knows about `node`. */
function publicFile(at: Host, node: Host): string {
  return fileIn(at, `${FOLDER}/hosts/${node.name}`)
}
