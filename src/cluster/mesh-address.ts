// Where a member of the mesh is spoken to: one address for datagrams and streams alike.

/** `host` is an IPv4 or IPv6 literal, never a name. */
export type MeshAddress = Readonly<{ host: string; port: number }>

export function formatMeshAddress({ host, port }: MeshAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
