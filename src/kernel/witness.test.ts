// What can be asked of libpcap without a packet; captures need root and are native tests.
import test from 'ava'
import { createRequire } from 'node:module'
import { openWitness } from './witness.ts'

function isBuilt(): boolean {
  try {
    createRequire(import.meta.url)('cap')
    return true
  } catch {
    return false
  }
}

test('a device that is not there is named, or else the package that is missing', t => {
  const open = () => openWitness({
    device: 'tm-nosuch', filter: '', onFrame: () => {}, onError: () => {},
  })
  if (isBuilt()) {
    t.throws(open, { code: 'TM_NOT_FOUND', message: /^no device tm-nosuch .* are: .*\blo\b/ })
  } else {
    t.throws(open, { code: 'TM_ABSENT', message: /optional package "cap".*libpcap-dev/ })
  }
})
