// Where the tasks of a service may be: "node.labels.zone==b" and the like, as Docker writes them.
import { UsageError } from '../../base/errors.ts'
import type { NodeFact } from './facts.ts'

export type Constraint = Readonly<{
  /** "hostname", "id", "role", or "labels." and the name of a label */
  of: string
  isEqual: boolean
  value: string
}>

const SHAPE = /^\s*node\.(hostname|id|role|labels\.[\w./-]+)\s*(==|!=)\s*(\S(?:.*\S)?)\s*$/
const HINT = 'write node.hostname==NAME, node.id==ID, node.role==manager or '
  + 'node.labels.KEY==VALUE, with == or !='

/** @throws UsageError that says how one is written */
export function parseConstraint(text: string): Constraint {
  const found = read(text)
  if (found === null) {
    throw new UsageError(`the constraint "${text}" is not understood; ${HINT}`, { text })
  }
  return found
}

/** One that cannot be understood is met by no node. */
export function meetsAll(constraints: readonly string[], node: NodeFact): boolean {
  return constraints.every(text => {
    const constraint = read(text)
    if (constraint === null) return false
    // As Docker does it: without regard to case, and a label that is not there is empty.
    const isSame = valueOf(constraint.of, node).toLowerCase() === constraint.value.toLowerCase()
    return isSame === constraint.isEqual
  })
}

function read(text: string): Constraint | null {
  const [, of, operator, value] = SHAPE.exec(text) ?? []
  if (of === undefined || value === undefined) return null
  const isRole = of !== 'role' || value === 'manager' || value === 'worker'
  return isRole ? { of, isEqual: operator === '==', value } : null
}

function valueOf(of: string, node: NodeFact): string {
  switch (of) {
    case 'hostname': return node.name
    case 'id': return node.id
    case 'role': return node.role
    default: return node.labels[of.slice('labels.'.length)] ?? ''
  }
}
