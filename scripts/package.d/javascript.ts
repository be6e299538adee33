// Makes JavaScript of src/: javascript.ts DIRECTORY. Node does not run TypeScript below
// node_modules, and a package need not load a compiler at each start. Types are blanked out and
// nothing else, so that a line in an error is still the line in the source.
import {
  copyFileSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
const SRC = join(ROOT, 'src')
/** For tests, for the type checker, for docs/openapi.json; and the source of an array of octets. */
const LEFT_OUT = /\.test(?:-kit)?\.ts$|\.d\.ts$|\.wat$|^api\/openapi\/|(?:^|\/)vectors(?:\/|\.)/
/** A module of ours, as imports and `new URL()` name it. */
const MODULE = /(['"])(\.\.?\/[^'"\n]*)\.ts\1/g

const target = process.argv[2]
if (target === undefined) throw new Error('usage: javascript.ts DIRECTORY')
rmSync(target, { recursive: true, force: true })
const files = globSync('**/*.*', { cwd: SRC }).filter(file => !LEFT_OUT.test(file)).sort()
for (const file of files) {
  mkdirSync(dirname(join(target, file)), { recursive: true })
  if (file.endsWith('.ts')) translate(file)
  else copyFileSync(join(SRC, file), join(target, file))
}
console.log(`${files.length} files in ${target}`)

/** @throws Error when a module that it names is not among the files */
function translate(file: string): void {
  const text = stripTypeScriptTypes(readFileSync(join(SRC, file), 'utf8'))
  const script = text.replace(MODULE, (_, quote: string, path: string) => {
    const named = join(dirname(file), `${path}.ts`)
    if (existsSync(join(SRC, named)) && !LEFT_OUT.test(named)) return `${quote}${path}.js${quote}`
    throw new Error(`src/${file} names ${path}.ts, which is not packaged`)
  })
  writeFileSync(join(target!, file.replace(/\.ts$/, '.js')), script)
}
