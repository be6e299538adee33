// What a daemon remembers: a file of an earlier version is read with what it lacks filled in.
import test from 'ava'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { emptyState, loadState, saveState } from './state.ts'

/** A task as version 0.1.0 wrote it. */
const OLD_TASK = {
  id: 'ab'.repeat(32), name: 'web', state: 'running', complete: true, error: null, pid: 7,
  pidStart: '1234', exitCode: null, command: ['sleep', '9'], env: ['A=b'], workdir: null,
  promiscuous: false, remove: false, createdAt: '2026-01-02T03:04:00Z',
  startedAt: '2026-01-02T03:04:00Z', finishedAt: null, endpoints: [],
}

function inFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'tapmesh-state-'))
  try {
    body(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a task from before has a host name, a user, a runtime, and no way out', t => inFolder(at => {
  const old = { format: 1, nextPortId: 3, networks: [], vteps: [], tasks: [OLD_TASK] }
  writeFileSync(join(at, 'state.json'), JSON.stringify(old))
  t.deepEqual(loadState(at).tasks, [{
    ...OLD_TASK, state: 'running', user: null, hostname: null, stopGraceMs: 10_000, labels: {},
    service: null, runtime: 'process', rootfs: null, wayOut: null,
  }])
}))

test('what is saved is what is loaded', t => inFolder(at => {
  const service = { service: 's'.repeat(25), slot: '1', taskId: 't'.repeat(25) }
  writeFileSync(join(at, 'state.json'), JSON.stringify({ ...emptyState(), tasks: [{
    ...OLD_TASK, user: 'www-data', hostname: 'web', stopGraceMs: 500, labels: { tier: 'front' },
    service, runtime: 'crun', rootfs: '/srv/box',
  }] }))
  const state = loadState(at)
  saveState(at, state)
  t.deepEqual(loadState(at), state)
  t.like(state.tasks[0], { service, runtime: 'crun', rootfs: '/srv/box', stopGraceMs: 500 })
}))

test('a damaged file is named, and left as it is', t => inFolder(at => {
  writeFileSync(join(at, 'state.json'), '{"format":1,"tasks":[{}]}')
  t.throws(() => loadState(at), { code: 'TM_CONFIG', message: /is damaged .*networks: / })
  t.is(readFileSync(join(at, 'state.json'), 'utf8'), '{"format":1,"tasks":[{}]}')
}))
