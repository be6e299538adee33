// The part of the client that speaks of services.
import type {
  ServiceChanged, ServiceLogLine, ServiceTaskView, ServiceView,
} from '../daemon/service-views.ts'
import { type Asking, linesOf } from './cluster-client.ts'
import { part, query } from './question.ts'
import type { ServiceCreate, ServiceUpdate } from './service-schema.ts'

export type LogOptions = { follow?: boolean; tail?: number; signal?: AbortSignal }

export function makeServiceClient({ ask, get, post, stream }: Asking) {
  return {
    services: () => get<ServiceView[]>('/v1/services'),
    service: (which: string) => get<ServiceView>(`/v1/services/${part(which)}`),
    serviceTasks: (which: string) =>
      get<ServiceTaskView[]>(`/v1/services/${part(which)}/tasks`),
    createService: (body: ServiceCreate) => post<ServiceChanged>('/v1/services', body),
    updateService: (which: string, body: ServiceUpdate) =>
      post<ServiceChanged>(`/v1/services/${part(which)}/update`, body),
    rollBackService: (which: string) =>
      post<ServiceChanged>(`/v1/services/${part(which)}/rollback`, {}),
    removeService: (which: string) => ask<{ pending: string[] }>(
      { method: 'DELETE', path: `/v1/services/${part(which)}` }),
    /** Output of a service's tasks on all nodes, or of one task by its id. */
    serviceLogs: (which: string, { follow, tail, signal }: LogOptions = {}) =>
      linesOf<ServiceLogLine>(stream(
        `/v1/services/${part(which)}/logs${query({ follow, tail })}`, signal)),
  }
}
