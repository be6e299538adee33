// Rows of the shared tables as the machines of this folder take them: with their keys understood,
// and without those that have no effect.
import type { NodeSpecRow, ServiceSpec, ServiceTaskRow } from './rows.ts'

export type NodeFact = Readonly<{
  id: string
  name: string
  role: 'manager' | 'worker'
  /** The mesh says that it is there; a suspect is. */
  isAlive: boolean
  availability: NodeSpecRow['availability']
  labels: Readonly<Record<string, string>>
}>

export type NetworkFact = Readonly<{ id: string; name: string }>

export type ServiceFact = Readonly<{
  id: string
  spec: ServiceSpec
  version: number
  generation: number
  /** Its addresses by network id: what the leases say. */
  vips: ReadonlyMap<string, string>
}>

export type TaskFact = ServiceTaskRow & Readonly<{
  /** 25 digits */
  id: string
  node: string
  /** Its node is not here: kept, but without effect. */
  isHidden: boolean
}>

export type EndpointFact = Readonly<{
  node: string
  network: string
  address: string
  mac: string
  /** Name and id of the local task: 64 hex digits. */
  task: string
  taskId: string
}>
