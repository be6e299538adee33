// What a new version of a service is, and when its tasks are to be replaced.
import test from 'ava'
import { specOf } from './services.test-kit.ts'
import { firstVersion, nextVersion } from './versions.ts'

const SPEC = specOf('web', 2)

test('the first version', t => {
  t.deepEqual(firstVersion(SPEC, 7),
    { spec: SPEC, version: 1, generation: 1, createdAt: 7, updatedAt: 7 })
})

test('another number of tasks replaces none of them', t => {
  const next = nextVersion(firstVersion(SPEC, 7), { ...SPEC, replicas: 3 }, 9)
  t.like(next, { version: 2, generation: 1, createdAt: 7, updatedAt: 9 })
})

test('another template does, and so does the same one by force', t => {
  const first = firstVersion(SPEC, 7)
  for (const change of [{ command: ['other'] }, { force: 1 }, { env: ['A=b'] }]) {
    t.like(nextVersion(first, { ...SPEC, task: { ...SPEC.task, ...change } }, 9),
      { version: 2, generation: 2 })
  }
  t.is(nextVersion(first, structuredClone(SPEC), 9).generation, 1)
})
