// Whom the host asks for names: its own resolv.conf, read anew when it has changed. It is looked at
// when somebody asks and never by itself.
import { readFileSync, statSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import { HOST_RESOLV_CONF, parseResolvConf, type ResolvConf, upstreamsOf } from './resolv-conf.ts'

/** How long it is believed that the file has not changed. */
export const HOST_LOOK_MS = 1000

const NOBODY: ResolvConf = { nameServers: [], search: [], options: [] }

export class HostResolver {
  readonly #clock: Clock
  readonly #path: string
  #lookedMs = -Infinity
  #mark = ''
  #conf = NOBODY
  #upstreams: readonly string[] = []

  constructor(clock: Clock, path = HOST_RESOLV_CONF) {
    this.#clock = clock
    this.#path = path
  }

  /** The same list as long as the file says the same. */
  get upstreams(): readonly string[] {
    this.#look()
    return this.#upstreams
  }

  get search(): readonly string[] {
    this.#look()
    return this.#conf.search
  }

  #look(): void {
    const nowMs = this.#clock.nowMs()
    if (nowMs - this.#lookedMs < HOST_LOOK_MS) return
    this.#lookedMs = nowMs
    try {
      // What is replaced as a whole has another inode; what is written in place, another time.
      const { ino, mtimeMs, size } = statSync(this.#path)
      const mark = `${ino} ${mtimeMs} ${size}`
      if (mark === this.#mark) return
      this.#use(parseResolvConf(readFileSync(this.#path, 'utf8')))
      this.#mark = mark
    } catch { // there is none, or it is being replaced: resolver(5) has a default, we have nobody
      this.#use(NOBODY)
      this.#mark = ''
    }
  }

  #use(conf: ResolvConf): void {
    const upstreams = upstreamsOf(conf)
    if (upstreams.join(' ') !== this.#upstreams.join(' ')) this.#upstreams = upstreams
    this.#conf = conf
  }
}
