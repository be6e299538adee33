// Which of a device's drops are counted: none from before, all of a port that is gone.
import test from 'ava'
import { QueueDrops } from './queue-drops.ts'

const PORT = { portId: 7, interface: 'eth0' }
const OTHER = { portId: 8, interface: 'eth1' }

function drops() {
  const devices = new Map<string, number>()
  let isGone = false
  const queueDrops = new QueueDrops(netns => {
    if (isGone) throw new Error(`no ${netns}`)
    return devices
  })
  return { devices, queueDrops, take: () => { isGone = true } }
}

test('what was dropped before the first look is not counted', t => {
  const { devices, queueDrops } = drops()
  devices.set('eth0', 100).set('eth1', 5).set('lo', 3)
  queueDrops.look('tm-a', [PORT, OTHER])
  t.is(queueDrops.total, 0)
  devices.set('eth0', 140).set('eth1', 6).set('lo', 9)
  queueDrops.look('tm-a', [PORT, OTHER])
  queueDrops.look('tm-a', [PORT, OTHER])
  t.is(queueDrops.total, 41)
})

test('a port that ends is looked at once more, and stays counted', t => {
  const { devices, queueDrops } = drops()
  devices.set('eth0', 1)
  queueDrops.look('tm-a', [PORT])
  devices.set('eth0', 4)
  queueDrops.end('tm-a', [PORT])
  t.is(queueDrops.total, 3)
  devices.set('eth0', 1000)
  queueDrops.look('tm-a', [{ ...PORT, portId: 9 }])
  t.is(queueDrops.total, 3)
})

test('a device that was made anew begins at zero', t => {
  const { devices, queueDrops } = drops()
  devices.set('eth0', 10)
  queueDrops.look('tm-a', [PORT])
  devices.set('eth0', 14)
  queueDrops.look('tm-a', [PORT])
  devices.set('eth0', 2)
  queueDrops.look('tm-a', [PORT])
  t.is(queueDrops.total, 4 + 2)
})

test('a device or a namespace that is gone loses nothing', t => {
  const { devices, queueDrops, take } = drops()
  devices.set('eth0', 0)
  queueDrops.look('tm-a', [PORT])
  devices.set('eth0', 5)
  queueDrops.look('tm-a', [PORT])
  devices.delete('eth0')
  queueDrops.look('tm-a', [PORT])
  take()
  queueDrops.end('tm-a', [PORT])
  t.is(queueDrops.total, 5)
})
