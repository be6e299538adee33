// What is wrong is said once, for as long as it is wrong.
import { Writable } from 'node:stream'
import test from 'ava'
import { pino } from 'pino'
import { WayOutFaults } from './way-out-faults.ts'

function makeFaults(): { faults: WayOutFaults; said: string[] } {
  const said: string[] = []
  const sink = new Writable({ write(chunk: Buffer, _encoding, done) {
    const { msg, reason } = JSON.parse(String(chunk)) as { msg: string; reason?: string }
    said.push(reason === undefined ? msg : `${msg}: ${reason}`)
    done()
  } })
  return { faults: new WayOutFaults(pino(sink)), said }
}

test('a reason is said when it comes, when it changes, and when it goes', t => {
  const { faults, said } = makeFaults()
  for (const reason of ['no nft', 'no nft', 'no nat', 'no nat']) faults.tell('filter', reason)
  t.is(faults.reason, 'no nat')
  t.true(faults.has('filter'))
  faults.heal('filter')
  faults.heal('filter')
  t.is(faults.reason, null)
  t.deepEqual(said, ['tasks have no way out: no nft', 'tasks have no way out: no nat',
    'tasks have a way out again'])
})

test('what is tried anew for each task is said once in the rounds that follow one another', t => {
  const { faults, said } = makeFaults()
  const rounds = [true, true, false, true]
  for (const fails of rounds) {
    faults.retry('devices')
    if (fails) faults.tell('devices', new Error('no veth'))
  }
  faults.retry('devices')
  t.is(faults.reason, null)
  t.deepEqual(said, ['tasks have no way out: no veth', 'tasks have no way out: no veth'])
})

test('of several reasons the first is shown', t => {
  const { faults } = makeFaults()
  faults.tell('devices', 'no veth')
  faults.tell('filter', 'no nft')
  t.is(faults.reason, 'no veth')
  faults.retry('devices')
  t.is(faults.reason, 'no nft')
})
