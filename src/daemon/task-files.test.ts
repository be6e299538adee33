// What a task's own files in /etc say, and what is mounted where.
import test from 'ava'
import { renderFstab, renderHosts, renderNsswitch } from './task-files.ts'

test('hosts: the own name for each address', t => {
  const lines = renderHosts('c83ee052787a', ['10.0.1.8', '10.0.3.2']).split('\n')
  t.is(lines[0], '127.0.0.1\tlocalhost')
  t.deepEqual(lines.slice(-3), ['10.0.1.8\tc83ee052787a', '10.0.3.2\tc83ee052787a', ''])
})

test('hosts: a name with a domain is found without it, too', t => {
  t.true(renderHosts('web.example.com', ['10.0.1.8']).includes('\n10.0.1.8\tweb.example.com web\n'))
})

test('nsswitch: hosts by files and DNS alone, everything else as it was', t => {
  const host = 'passwd: files systemd\nhosts:   mymachines resolve [!UNAVAIL=return] dns\nrpc: db\n'
  t.is(renderNsswitch(host), 'passwd: files systemd\nhosts: files dns\nrpc: db\n')
  t.is(renderNsswitch('# none\n'), '# none\n')
})

test('fstab: sysfs and what the host has', t => {
  t.deepEqual(renderFstab('/var/lib/my tasks/a\\b', path => path !== '/run/nscd').split('\n'), [
    'task /sys sysfs defaults 0 0',
    '/var/lib/my\\040tasks/a\\134b/resolv.conf /etc/resolv.conf none bind 0 0',
    '/var/lib/my\\040tasks/a\\134b/hosts /etc/hosts none bind 0 0',
    '/var/lib/my\\040tasks/a\\134b/hostname /etc/hostname none bind 0 0',
    '/var/lib/my\\040tasks/a\\134b/nsswitch.conf /etc/nsswitch.conf none bind 0 0',
    '',
  ])
  t.deepEqual(renderFstab('/t', path => path === '/run/nscd').split('\n'),
    ['task /sys sysfs defaults 0 0', 'task /run/nscd tmpfs ro,mode=755 0 0', ''])
})
