// A node's identity on disk, below <paths.state>/identity. It appears whole when a node joins and
// goes whole when it leaves. A file that cannot be understood is named and left as it is: nothing
// ever starts over it. Keys, the ring and the join secrets are for root alone.
import type { KeyObject } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { z } from 'zod'
import { ConfigError, ConflictError } from '../../base/errors.ts'
import {
  makeDirectoryWith, removeDirectory, replaceFile, sweepAround, type FileContent,
} from './atomic-files.ts'
import { formatBase36, tryBase36 } from './base36.ts'
import {
  formatPem, isPairOf, readAuthority, readNodeCertificate, tryPem, tryPrivateKey,
} from './certificates.ts'
import type { ClusterFacts, Identity } from './identity.ts'
import { decodeRing, encodeRing, type KeyRing } from './keyring.ts'
import { NODE_NAME, OBJECT_ID } from './member.ts'
import { SECRET_OCTETS, type JoinSecrets } from './token.ts'

const FORMAT = 1
const FILE_LENGTH_MAX = 65_536
const PUBLIC_MODE = 0o644
const SECRET_MODE = 0o600
const SECRET_FILES = ['ca.key', 'node.key', 'keyring', 'cluster.json']

const clusterFile = z.strictObject({
  format: z.literal(FORMAT),
  id: z.string().regex(OBJECT_ID),
  name: z.string().regex(NODE_NAME),
  insecure: z.boolean(),
  secrets: z.strictObject({ worker: z.string(), manager: z.string() }).nullable(),
})

export function identityDirectory(stateDirectory: string): string {
  return `${stateDirectory}/identity`
}

/**
 * The identity below `stateDirectory`, or null when the node is in no cluster.
 * @throws ConfigError that names the file that is damaged, missing or open to others
 */
export function loadIdentity(stateDirectory: string): Identity | null {
  const directory = identityDirectory(stateDirectory)
  sweepAround(directory)
  if (!isThere(directory)) return null
  for (const name of SECRET_FILES) checkMode(directory, name)
  const { facts, secrets } = readCluster(directory)
  const authority = parsed(directory, 'ca.crt', text => {
    const found = readAuthority(tryPem(text) ?? new Uint8Array())
    return found?.clusterId === facts.id ? found : null
  })
  const certificate = parsed(directory, 'node.crt', text => {
    const found = readNodeCertificate(authority, tryPem(text) ?? new Uint8Array())
    return typeof found === 'string' ? null : found
  })
  const privateKey = parsed(directory, 'node.key', text => {
    return privateKeysIn(text).find(key => isPairOf(key, certificate.publicKey)) ?? null
  })
  const ring = parsed(directory, 'keyring', decodeRing)
  const isManager = certificate.role === 'manager'
  const authorityKey = !isManager ? null : parsed(directory, 'ca.key', text => {
    return privateKeysIn(text).find(key => isPairOf(key, authority.publicKey)) ?? null
  })
  if (isManager && secrets === null) throw damaged(directory, 'cluster.json')
  return { cluster: facts, authority, certificate, privateKey, ring, authorityKey, secrets }
}

/**
 * Become a member on disk: all files are there when this returns, or none.
 * @throws ConflictError the node is a member already; ConfigError the disk refuses
 */
export function createIdentity(stateDirectory: string, identity: Identity): void {
  const directory = identityDirectory(stateDirectory)
  const files: FileContent[] = [
    { name: 'ca.crt', text: formatPem(identity.authority.octets), mode: PUBLIC_MODE },
    { name: 'node.crt', text: formatPem(identity.certificate.octets), mode: PUBLIC_MODE },
    { name: 'node.key', text: privatePem(identity.privateKey), mode: SECRET_MODE },
    ringContent(identity.ring),
    clusterContent(identity.cluster, identity.secrets),
  ]
  if (identity.authorityKey !== null) {
    files.push({ name: 'ca.key', text: privatePem(identity.authorityKey), mode: SECRET_MODE })
  }
  try {
    makeDirectoryWith(directory, files)
  } catch (error) {
    if (!isThere(directory)) throw unwritable(directory, error)
    throw new ConflictError('this node is already part of a cluster; leave it first with '
      + 'tapmesh leave', { directory })
  }
}

/** After a rotation. @throws ConfigError the disk refuses; the file is as it was */
export function saveRing(stateDirectory: string, ring: KeyRing): void {
  replace(stateDirectory, ringContent(ring))
}

/** After a join secret was rotated. @throws ConfigError the disk refuses */
export function saveCluster(
  stateDirectory: string, facts: ClusterFacts, secrets: JoinSecrets | null,
): void {
  replace(stateDirectory, clusterContent(facts, secrets))
}

/**
 * After a renewal. For a moment the key file holds both keys, so that certificate and key fit
 * whenever the power goes. @throws ConfigError the disk refuses
 */
export function saveCertificate(
  stateDirectory: string, before: Identity,
  now: Readonly<Pick<Identity, 'certificate' | 'privateKey'>>,
): void {
  const key = (text: string) => ({ name: 'node.key', text, mode: SECRET_MODE })
  const [old, renewed] = [privatePem(before.privateKey), privatePem(now.privateKey)]
  replace(stateDirectory, key(old + renewed))
  const text = formatPem(now.certificate.octets)
  replace(stateDirectory, { name: 'node.crt', text, mode: PUBLIC_MODE })
  replace(stateDirectory, key(renewed))
}

/** Be a member no more. @throws ConfigError the disk refuses */
export function removeIdentity(stateDirectory: string): void {
  const directory = identityDirectory(stateDirectory)
  try {
    removeDirectory(directory)
  } catch (error) {
    throw unwritable(directory, error)
  }
}

function replace(stateDirectory: string, content: FileContent): void {
  const directory = identityDirectory(stateDirectory)
  try {
    replaceFile(directory, content)
  } catch (error) {
    throw unwritable(`${directory}/${content.name}`, error)
  }
}

function readCluster(directory: string): { facts: ClusterFacts; secrets: JoinSecrets | null } {
  return parsed(directory, 'cluster.json', text => {
    const { id, name, insecure, secrets } = clusterFile.parse(JSON.parse(text))
    const facts = { id, name, insecure }
    if (secrets === null) return { facts, secrets }
    const worker = tryBase36(secrets.worker, SECRET_OCTETS)
    const manager = tryBase36(secrets.manager, SECRET_OCTETS)
    return worker === null || manager === null ? null : { facts, secrets: { worker, manager } }
  })
}

/** What `parse` makes of the file. Null and whatever it throws mean that the file is damaged. */
function parsed<T>(directory: string, name: string, parse: (text: string) => T | null): T {
  const path = `${directory}/${name}`
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = codeOf(error)
    throw damaged(directory, name, code === 'ENOENT' ? 'is missing' : `cannot be read (${code})`)
  }
  if (text.length > FILE_LENGTH_MAX) throw damaged(directory, name)
  try {
    const value = parse(text)
    if (value !== null) return value
  } catch {
    // Not told apart, and not given as the cause: JSON's errors quote the text, here of secrets.
  }
  throw damaged(directory, name)
}

function damaged(directory: string, name: string, what = 'is damaged'): ConfigError {
  const path = `${directory}/${name}`
  return new ConfigError(`${path} ${what}; put it back from a backup, or move ${directory} away `
    + 'and join the cluster again with a token', { path })
}

function unwritable(path: string, error: unknown): ConfigError {
  const code = codeOf(error)
  const message = `cannot write ${path}: ${code}; nothing was changed`
  return new ConfigError(message, { path, code }, error)
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'no reason given'
}

function checkMode(directory: string, name: string): void {
  const path = `${directory}/${name}`
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o077) === 0) return
  throw new ConfigError(`${path} holds secrets and other users may read or write it; once you know `
    + `that nobody has, run: chmod 600 ${path}`, { path })
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    throw new ConfigError(`cannot look at ${path}: ${codeOf(error)}`, { path }, error)
  }
}

function privateKeysIn(text: string): KeyObject[] {
  const blocks = text.match(/-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----\n/g) ?? []
  return blocks.map(tryPrivateKey).filter(key => key !== null)
}

function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string
}

function ringContent(ring: KeyRing): FileContent {
  return { name: 'keyring', text: encodeRing(ring), mode: SECRET_MODE }
}

function clusterContent(facts: ClusterFacts, secrets: JoinSecrets | null): FileContent {
  const encoded = secrets === null ? null : {
    worker: formatBase36(secrets.worker), manager: formatBase36(secrets.manager),
  }
  const { id, name, insecure } = facts
  const text = JSON.stringify({ format: FORMAT, id, name, insecure, secrets: encoded }, null, 1)
  return { name: 'cluster.json', text, mode: SECRET_MODE }
}
