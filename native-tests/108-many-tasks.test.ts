// A hundred tasks on one node come up one after the other, and all go away, and leave nothing: no
// process, namespace, device, mount, control group, folder, address, and no memory.
// May run beside another test.
import { kernelState } from './lib/kernel-state.ts'
import { SOCKET, useLab } from './lib/lab.ts'

const lab = useLab({ nodes: 1, needs: { tools: ['curl'] } })
const NODE = 'node1'
const MANY = Number(process.env['TASKS'] ?? 100)
/** What the daemon may hold more after the second round than after the first. */
const GROWTH_KB = 16_384

/** What the daemon's process holds. */
async function held() {
  const { pid } = await lab.status(NODE)
  const status = await lab.out(NODE, 'cat', `/proc/${pid}/status`)
  return {
    taps: Number(await lab.sh(NODE, `readlink /proc/${pid}/fd/* | grep -c net/tun || true`)),
    descriptors: Number(await lab.sh(NODE, `ls /proc/${pid}/fd | wc -l`)),
    memoryKb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]),
  }
}

/** For curl(1): start them, over one connection. */
function config(): string {
  const asks = Array.from({ length: MANY }, (_, i) => {
    const body = { name: `many${i}`, networks: [{ network: 'mynet' }], command: ['sleep', '4329'] }
    return [
      'url = http://tapmesh/v1/tasks', `unix-socket = ${SOCKET}`, 'silent', 'fail',
      'output = /dev/null', 'header = "content-type: application/json"',
      `data = ${JSON.stringify(JSON.stringify(body))}`,
    ].join('\n')
  })
  return asks.join('\nnext\n')
}

const count = async (script: string) => Number(await lab.sh(NODE, script))

/** @returns milliseconds that starting and removing took */
async function comeAndGo(): Promise<[startMs: number, removeMs: number]> {
  const began = performance.now()
  await lab.sh(NODE, `curl --config - <<'END'\n${config()}\nEND`)
  const ran = performance.now()
  const running = await count("pgrep -fxc 'sleep 4329' || true")
  const namespaces = await count('ls /run/netns | wc -l')
  const { taps } = await held()
  if (running !== MANY || namespaces !== MANY || taps !== MANY) {
    throw new Error(`${running} processes, ${namespaces} namespaces, ${taps} devices`)
  }
  const going = performance.now()
  await lab.sh(NODE, `curl -sS --fail -Z --unix-socket ${SOCKET} -X DELETE \
    'http://tapmesh/v1/tasks/many[0-${MANY - 1}]?force=true'`)
  return [ran - began, performance.now() - going]
}

lab.test(`${MANY} tasks come up and go away, twice, and leave nothing`, async t => {
  await lab.tapmesh(NODE, 'network', 'create', '--subnet', '10.7.0.0/20', 'mynet')
  const before = await kernelState(lab, NODE)
  const empty = await held()
  const first = await comeAndGo()
  const between = await held()
  const second = await comeAndGo()
  const after = await held()
  for (const [startMs, removeMs] of [first, second]) {
    t.comment(`${MANY} tasks: ${Math.round(startMs)} ms up, ${Math.round(removeMs)} ms down`)
  }
  t.comment(`memory: ${empty.memoryKb}, ${between.memoryKb}, ${after.memoryKb} kB`)
  t.same([after.taps, after.descriptors], [0, empty.descriptors])
  t.ok(after.memoryKb - between.memoryKb < GROWTH_KB, 'the daemon does not grow with them')
  t.same(await kernelState(lab, NODE), before)
  t.same(await lab.api(NODE, 'tasks'), [])
  t.equal((await lab.status(NODE)).endpoints.length, 0)
})
