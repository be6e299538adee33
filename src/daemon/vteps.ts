// VTEPs that were named by hand. What is learned from frames never stands here.
import { ConflictError, LimitError, NotFoundError, UsageError } from '../base/errors.ts'
import { findNamed } from '../base/ids.ts'
import { formatIpv4, parseHostPort } from '../base/text.ts'
import type { Core } from './core.ts'
import type { VtepRecord } from './state.ts'
import type { VtepSpec, VtepView } from './views.ts'

export const VTEPS_MAX = 4096

export class Vteps {
  readonly #core: Core

  constructor(core: Core) {
    this.#core = core
  }

  list(): VtepView[] {
    return this.#core.state.vteps.map(vtep => this.#view(vtep))
  }

  /** Name a VTEP. The same once more is no error; another port replaces the old one. */
  add(spec: VtepSpec): VtepView {
    const { state, config, underlay } = this.#core
    const { address, port } = parseHostPort(spec.address, config.underlay.port)
    const text = formatIpv4(address)
    if (text === underlay.address) {
      throw new ConflictError(`${text} is this node's own underlay address; name the other nodes`,
        { address: text })
    }
    if (address >= 0xe0000000 || address < 0x01000000 || (address >>> 24) === 127) {
      throw new UsageError(`${text} is not the address of another host; `
        + 'a VTEP is named by its unicast underlay address', { address: text })
    }
    if (spec.remoteChecksum === true && !config.underlay.udpChecksum) {
      throw new ConflictError('remote checksums need real outer ones, or damage would go unseen; '
        + 'set underlay.udpChecksum: true')
    }
    const network = spec.network === undefined ? null
      : findNamed('network', state.networks, spec.network).id
    const remoteChecksum = spec.remoteChecksum ?? false
    const record: VtepRecord = { address: text, port, network, remoteChecksum }
    const known = state.vteps.find(vtep => vtep.address === text && vtep.network === network)
    if (known !== undefined) Object.assign(known, { port, remoteChecksum })
    else {
      if (state.vteps.length >= VTEPS_MAX) {
        throw new LimitError(`this node has ${VTEPS_MAX} VTEPs, which is the most it can serve`)
      }
      state.vteps.push(record)
      try {
        this.#core.checkMembers()
      } catch (error) {
        state.vteps.pop()
        throw error
      }
    }
    this.#core.save()
    this.#core.publish()
    return this.#view(record)
  }

  remove(spec: VtepSpec): void {
    const { state, config } = this.#core
    const text = formatIpv4(parseHostPort(spec.address, config.underlay.port).address)
    const network = spec.network === undefined ? null
      : findNamed('network', state.networks, spec.network).id
    const at = state.vteps.findIndex(vtep => vtep.address === text && vtep.network === network)
    if (at < 0) {
      const where = spec.network === undefined ? 'for all networks' : `for network ${spec.network}`
      throw new NotFoundError(`there is no VTEP ${text} ${where}; see: tapmesh vtep ls`,
        { address: text })
    }
    state.vteps.splice(at, 1)
    this.#core.save()
    this.#core.publish()
  }

  #view(vtep: VtepRecord): VtepView {
    const network = this.#core.state.networks.find(one => one.id === vtep.network)
    return { address: vtep.address, port: vtep.port, network: network?.name ?? null,
      remoteChecksum: vtep.remoteChecksum }
  }
}
