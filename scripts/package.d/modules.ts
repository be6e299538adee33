// Copies the packages that tapmesh runs with, as the lock file has them, and of each only what is
// read when it runs: modules.ts FROM TO MACHINE. FROM and TO are node_modules folders, MACHINE is
// "x64" or "arm64". Prints one line for each package: name, version, licence.
import {
  copyFileSync, existsSync, globSync, mkdirSync, readFileSync, statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

type Locked = {
  version?: string
  license?: string
  optional?: boolean
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

const ROOT = join(import.meta.dirname, '..', '..')
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as
  { packages: Record<string, Locked> }
/** Types, and what native addons are compiled with. */
const NOT_RUN = new Set(['@types/node', 'nan', 'node-addon-api'])
const RUN = /\.(?:[cm]?js|json|node)$/
const LICENCE = /^(?:licen[cs]e|notice|copying)[^/]*$/i
/** Folders at the top of a package; deeper down such a name may mean anything. */
const NOT_READ = new RegExp('^(?:tests?|__tests__|examples?|docs?|benchmarks?|coverage|deps|include|'
  + 'share|vendor|musl_[^/]*|browser|\\.github)/')

const [from = '', to = '', machine = ''] = process.argv.slice(2)
if (!['x64', 'arm64'].includes(machine)) throw new Error('usage: modules.ts FROM TO x64|arm64')

/** Where `name` is found by a module of the package at `path`: there, or further up. */
function placeOf(path: string, name: string): string | undefined {
  for (let above = path; ; above = above.slice(0, Math.max(0, above.lastIndexOf('node_modules')))) {
    const place = `${above === '' ? '' : `${above.replace(/\/$/, '')}/`}node_modules/${name}`
    if (lock.packages[place] !== undefined) return place
    if (above === '') return undefined
  }
}

function collect(path: string, into: Set<string>): Set<string> {
  const { dependencies, optionalDependencies } = lock.packages[path]!
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const place = placeOf(path, name)
    if (place === undefined || into.has(place) || NOT_RUN.has(name)) continue
    into.add(place)
    collect(place, into)
  }
  return into
}

/** Packages of other machines are in the lock file, too. */
function isForMachine(place: string): boolean {
  return !/koffi-[a-z0-9]+-[a-z0-9]+$|node-linux-/.test(place)
    || place.endsWith(`-linux-${machine}`)
}

/** What begins so is a command for people, and wants a Node at /usr/bin. */
function isProgram(path: string): boolean {
  return readFileSync(path, 'latin1').startsWith('#!')
}

function copyPackage(place: string): void {
  const name = place.slice('node_modules/'.length)
  const source = join(from, name)
  for (const file of globSync('**/*', { cwd: source, exclude: ['**/node_modules'] })) {
    const isNode = file === 'bin/node'
    const isRead = isNode || RUN.test(file) || LICENCE.test(file)
    const otherMachine = file.startsWith('prebuilds/') && !file.includes(`/linux-${machine}/`)
    if (!isRead || (NOT_READ.test(file) && !isNode) || otherMachine) continue
    if (!statSync(join(source, file)).isFile() || (!isNode && isProgram(join(source, file)))) continue
    const target = join(to, name, file)
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(join(source, file), target)
  }
}

for (const place of [...collect('', new Set())].filter(isForMachine).sort()) {
  const { version = '', license = 'see its page', optional } = lock.packages[place]!
  const name = place.slice('node_modules/'.length)
  if (!existsSync(join(from, name))) {
    if (optional === true) continue
    throw new Error(`${place} is in the lock file and not in ${from}`)
  }
  copyPackage(place)
  console.log(`${name} ${version} ${license}`)
}
