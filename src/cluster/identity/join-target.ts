// Where somebody is called.

/** `host` may be a name here: people type it. */
export type Target = Readonly<{ host: string; port: number }>

export function formatTarget({ host, port }: Target): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
