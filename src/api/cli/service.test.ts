// The service commands in front of a daemon that is only memory.
import test from 'ava'
import { until } from '../control.test-kit.ts'
import { fakeTask } from '../service.test-kit.ts'
import { DEADLINE_MS, lab, start } from './cli.test-kit.ts'

const WEB = 'web'.padEnd(25, '0')

test('create asks for what was said, and prints the id', async t => {
  const { run, asked } = await lab(t)
  const made = await run('service', 'create', '-d', '--name', 'web', '--network', 'mynet',
    '--network', 'name=other,alias=www', '--replicas', '2', '-p', '8080:80', '-p', 'host,53/udp',
    '-e', 'A=b', '--workdir', '/srv', '--user', 'nobody', '--hostname', 'h', '--endpoint-mode',
    'vip', '--restart-condition', 'on-failure', '--restart-delay', '1m30s',
    '--restart-max-attempts', '3', '--stop-grace-period', '500ms', '--constraint',
    'node.hostname==node1', '--label', 'team=blue', '--update-parallelism', '0',
    '--update-order', 'start-first', '--rollback-delay', '2s', '--lb-scheduler', 'wrr',
    '--lb-weight', '1=5', '--', 'ping', '-c', '3', '8.8.8.8')
  t.deepEqual(made, { code: 0, stdout: `${WEB}\n`, stderr: '' })
  t.like(JSON.parse(asked.at(-1)!.slice('create service '.length)), {
    name: 'web', mode: 'replicated', replicas: 2, command: ['ping', '-c', '3', '8.8.8.8'],
    networks: [{ network: 'mynet', aliases: [] }, { network: 'other', aliases: ['www'] }],
    ports: [{ mode: 'ingress', published: 8080, target: 80, protocol: 'tcp' },
      { mode: 'host', target: 53, protocol: 'udp' }],
    env: ['A=b'], workdir: '/srv', user: 'nobody', hostname: 'h', endpointMode: 'vip',
    restart: { condition: 'on-failure', delayMs: 90_000, maxAttempts: 3 }, stopGraceMs: 500,
    constraints: ['node.hostname==node1'], labels: { team: 'blue' }, runtime: 'process',
    update: { parallelism: 0, order: 'start-first', failureAction: 'pause', monitorMs: 5000 },
    rollback: { parallelism: 1, delayMs: 2000, order: 'stop-first' },
    scheduler: 'wrr', weights: { 1: 5 },
  })
})

test('what must wait for nodes that are down is told, and is no failure', async t => {
  const { run, services } = await lab(t)
  services.pending.push('node3 is down: its task of util starts when it is back')
  t.deepEqual(await run('service', 'create', '-d', '--name', 'util', '--mode', 'global', 'x'), {
    code: 0, stdout: `${'util'.padEnd(25, '0')}\n`,
    stderr: 'tapmesh: node3 is down: its task of util starts when it is back\n',
  })
})

test('ls has the columns of Docker', async t => {
  const { run, client, services } = await lab(t)
  await client.createService({ name: 'web', command: ['tapmesh', 'whoami'], replicas: 2,
    ports: [{ published: 8081, target: 81 }, { published: 8080, target: 80 },
      { published: 90, target: 90, protocol: 'udp' }, { published: 70, target: 7, mode: 'host' }] })
  await client.createService({ name: 'util', command: ['sleep', '9'], mode: 'global',
    labels: { team: 'blue' } })
  Object.assign(services.services[0]!, { running: 2 })
  t.is((await run('service', 'ls')).stdout, [
    'ID             NAME   MODE         REPLICAS   IMAGE     PORTS',
    'web000000000   web    replicated   2/2        tapmesh   *:8080-8081->80-81/tcp, '
      + '*:90->90/udp',
    'util00000000   util   global       0/1        sleep', '',
  ].join('\n'))
  t.is((await run('service', 'ls', '-q', '--filter', 'label=team=blue')).stdout, 'util00000000\n')
  t.is((await run('service', 'ls', '--format', '{{.Name}} {{.Replicas}}', '-f', 'mode=replicated'))
    .stdout, 'web 2/2\n')
})

test('ps has the columns of Docker, with older tasks below newer ones', async t => {
  const { run, client, services } = await lab(t)
  const { service } = await client.createService({ name: 'test', command: ['ping', '8.8.8.8'],
    replicas: 2 })
  const stateAt = new Date(Date.now() - 5 * 3_600_000).toISOString()
  services.tasks.push(
    fakeTask(service, '1', { stateAt }),
    fakeTask(service, '1', { id: '9'.repeat(25), state: 'failed', stateAt, exitCode: 1,
      desired: 'shutdown', error: 'task: non-zero exit (1) and more words' }),
    fakeTask(service, '2', { id: '', state: 'pending', node: null, stateAt }),
  )
  const { stdout } = await run('service', 'ps', 'test')
  t.deepEqual(stdout.replaceAll(/ +$/gm, '').split('\n'), [
    'ID             NAME         IMAGE   NODE    DESIRED STATE   CURRENT STATE         ERROR'
      + '                              PORTS',
    '111111111111   test.1       ping    node1   Running         Running 5 hours ago',
    '999999999999    \\_ test.1   ping    node1   Shutdown        Failed 5 hours ago    '
      + '"task: non-zero exit (1) and m…"',
    '               test.2       ping            Running         Pending 5 hours ago', '',
  ])
  t.regex((await run('service', 'ps', '--no-trunc', 'test')).stdout, /"task: .* and more words"/)
  t.is((await run('service', 'ps', '-q', 'test')).stdout, '111111111111\n999999999999\n')
  t.is((await run('service', 'ps', '-f', 'desired-state=shutdown', '--format', '{{.Name}}', 'test'))
    .stdout, 'test.1\n')
  t.like(await run('service', 'ps', 'none'), {
    code: 1, stderr: 'tapmesh: there is no service "none"\n',
  })
})

test('inspect has the shape of Docker, and --pretty its lines', async t => {
  const { run, client } = await lab(t)
  await client.createService({ name: 'web', command: ['whoami', '-p', '80'], replicas: 2,
    networks: [{ network: 'mynet' }], ports: [{ published: 8080, target: 80 }],
    labels: { team: 'blue' }, env: ['A=b'], constraints: ['node.role==worker'] })
  const [shown] = JSON.parse((await run('service', 'inspect', 'web')).stdout)
  t.like(shown, {
    ID: WEB, Version: { Index: 1 },
    Spec: {
      Name: 'web', Labels: { team: 'blue' }, Mode: { Replicated: { Replicas: 2 } },
      TaskTemplate: {
        ContainerSpec: { Image: 'whoami', Args: ['-p', '80'], Env: ['A=b'],
          StopGracePeriod: 10_000_000_000 },
        RestartPolicy: { Condition: 'any', Delay: 5_000_000_000, MaxAttempts: 0 },
        Placement: { Constraints: ['node.role==worker'] },
        Networks: [{ Target: 'mynetid', Aliases: [] }], ForceUpdate: 0,
      },
      UpdateConfig: { Parallelism: 1, FailureAction: 'pause', Monitor: 5_000_000_000,
        Order: 'stop-first' },
    },
    Endpoint: {
      Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }],
      VirtualIPs: [{ NetworkID: 'mynetid', Addr: '10.0.1.2/24' }],
    },
  })
  t.is((await run('service', 'inspect', '--pretty', 'web')).stdout, [
    '', `ID:\t\t${WEB}`, 'Name:\t\tweb', 'Labels:', ' team=blue', 'Service Mode:\tReplicated',
    ' Replicas:\t2', 'Placement:', ' Constraints:\t[node.role==worker]', 'UpdateConfig:',
    ' Parallelism:\t1', ' On failure:\tpause', ' Monitoring Period: 5s', ' Max failure ratio: 0',
    ' Update order:      stop-first', 'RollbackConfig:', ' Parallelism:\t1', ' On failure:\tpause',
    ' Monitoring Period: 5s', ' Max failure ratio: 0', ' Rollback order:    stop-first',
    'ContainerSpec:', ' Image:\t\twhoami', ' Args:\t\t-p 80', ' Env:\t\tA=b', 'Resources:',
    'Networks: mynet (mynetid) ', 'Endpoint Mode:\tvip', 'Ports:', ' PublishedPort = 8080',
    '  Protocol = tcp', '  TargetPort = 80', '  PublishMode = ingress', '',
  ].join('\n'))
  t.is((await run('service', 'inspect', '-f', '{{.Spec.Name}}', 'web')).stdout, 'web\n')
  t.like(await run('service', 'inspect', 'none'), { code: 1, stdout: '[]\n' })
})

test('update says what is to change, and nothing else', async t => {
  const { run, client, asked } = await lab(t)
  await client.createService({ name: 'web', command: ['x'] })
  const changed = await run('service', 'update', '-d', '--args', 'say "two words" it\\\'s',
    '--env-add', 'A=b', '--env-rm', 'B', '--publish-add', '81:80', '--publish-rm', '443',
    '--network-add', 'other', '--network-rm', 'mynet', '--constraint-add', 'node.id==a',
    '--constraint-rm', 'node.id==b', '--label-add', 'c=d', '--label-rm', 'e', '--force',
    '--replicas', '3', '--update-delay', '10s', 'web')
  t.deepEqual(changed, { code: 0, stdout: 'web\n', stderr: '' })
  t.deepEqual(JSON.parse(asked.at(-1)!.slice('update service web '.length)), {
    replicas: 3, command: ['say', 'two words', "it's"], update: { delayMs: 10_000 },
    envAdd: ['A=b'], envRemove: ['B'], labelsAdd: { c: 'd' }, labelsRemove: ['e'],
    constraintsAdd: ['node.id==a'], constraintsRemove: ['node.id==b'],
    networksAdd: [{ network: 'other', aliases: [] }], networksRemove: ['mynet'],
    portsAdd: [{ protocol: 'tcp', mode: 'ingress', published: 81, target: 80 }],
    portsRemove: [{ target: 443, protocol: 'tcp' }], force: true,
  })
  t.is((await run('service', 'rollback', '-d', 'web')).stderr,
    'tapmesh: web has no previous spec\n')
  t.like(await run('service', 'update', '--rollback', '--force', 'web'), { code: 2 })
  t.like(await run('service', 'update', '-d', '--rollback', 'web'), { code: 1 })
  t.is(asked.at(-1), 'roll back service web')
})

test('scale takes several, says what it did, and names what is not there', async t => {
  const { run, client, asked, services } = await lab(t)
  await client.createService({ name: 'web', command: ['x'] })
  services.pending.push('node3 is down: what it has of web (web.1) follows when it is back')
  const scaled = await run('service', 'scale', '-d', 'web=3', 'none=1')
  t.deepEqual(scaled, {
    code: 1, stdout: 'web scaled to 3\n',
    stderr: 'tapmesh: node3 is down: what it has of web (web.1) follows when it is back\n'
      + 'tapmesh: there is no service "none"\n',
  })
  t.true(asked.includes('update service web {"replicas":3}'))
  t.like(await run('service', 'scale', 'web'), { code: 2, stdout: '' })
})

test('rm goes on after a name that is not there', async t => {
  const { run, client } = await lab(t)
  await client.createService({ name: 'web', command: ['x'] })
  t.deepEqual(await run('service', 'rm', 'none', 'web'), {
    code: 1, stdout: 'web\n', stderr: 'tapmesh: there is no service "none"\n',
  })
})

test('logs stand behind task and node', async t => {
  const { run, client, asked, services } = await lab(t)
  await client.createService({ name: 'web', command: ['x'] })
  const task = 'yf5uqm1kzx6dbt7n26e4akhsu'
  services.logs.push({ task, name: 'web.1', node: 'node1', line: 'hello' },
    { note: 'node3 is down: the output of web.2 is missing' })
  t.deepEqual(await run('service', 'logs', '--tail', '5', 'web'), {
    code: 0, stdout: 'web.1.yf5uqm1kzx6d@node1    | hello\n',
    stderr: 'tapmesh: node3 is down: the output of web.2 is missing\n',
  })
  t.is(asked.at(-1), 'logs of web {"follow":false,"tail":5}')
  t.is((await run('service', 'logs', '--no-trunc', 'web')).stdout,
    `web.1.${task}@node1    | hello\n`)
  t.is((await run('service', 'logs', '--raw', 'web')).stdout, 'hello\n')
  t.is((await run('service', 'logs', '--no-task-ids', 'web')).stdout, 'web.1@node1    | hello\n')
})

test('create waits until all tasks run, with a line for each change', async t => {
  const { socketPath, services } = await lab(t)
  const words = ['service', 'create', '--name', 'web', '--replicas', '2', '--update-monitor',
    '100ms', 'x']
  const { seen, ended } = start(t, ['--socket', socketPath, ...words])
  await until(() => seen.stdout.includes('1/2: pending'), 'the first look', DEADLINE_MS)
  const [service] = services.services
  services.tasks.push(fakeTask(service!, '1'), fakeTask(service!, '2', { state: 'starting' }))
  await until(() => seen.stdout.includes('2/2: starting'), 'the start', DEADLINE_MS)
  services.tasks[1]!.state = 'running'
  t.deepEqual(await ended, { code: 0, stderr: '', stdout: [
    WEB, 'overall progress: 0 out of 2 tasks', '1/2: pending', '2/2: pending',
    'overall progress: 1 out of 2 tasks', '1/2: running', '2/2: starting',
    'overall progress: 2 out of 2 tasks', '2/2: running',
    'verify: Waiting 1 second to verify that tasks are stable...', 'verify: Service converged', '',
  ].join('\n') })
})

test('a service whose tasks fail is a failure that says why', async t => {
  const { socketPath, services } = await lab(t)
  const words = ['service', 'create', '--name', 'bad', '--restart-condition', 'none', 'no-such']
  const { ended } = start(t, ['--socket', socketPath, ...words])
  await until(() => services.services.length === 1, 'the service', DEADLINE_MS)
  services.tasks.push(fakeTask(services.services[0]!, '1', { state: 'rejected',
    error: 'there is no program "no-such"' }))
  const { code, stderr } = await ended
  t.is(code, 1)
  t.is(stderr, 'tapmesh: service bad did not converge: bad.1 failed: there is no program '
    + '"no-such"; see: tapmesh service ps --no-trunc bad\n')
})

test('Ctrl-C ends the wait and leaves the service', async t => {
  const { socketPath, services } = await lab(t)
  const { child, seen, ended } = start(t,
    ['--socket', socketPath, 'service', 'create', '--name', 'web', 'x'])
  await until(() => seen.stdout.includes('overall progress'), 'the wait', DEADLINE_MS)
  child.kill('SIGINT')
  const { code, stdout } = await ended
  t.is(code, 0)
  t.true(stdout.endsWith("Operation continuing in background.\nUse 'tapmesh service ps web' to "
    + 'check progress.\n'))
  t.is(services.services.length, 1)
})
