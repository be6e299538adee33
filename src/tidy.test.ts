// The house rules that a machine can check, held against the tree. Planted faults show what they
// catch and what they leave alone.
import test from 'ava'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { garbageFaults, isHot } from './tidy-garbage.test-kit.ts'
import {
  exportFaults, functionFaults, importFaults, placeFaults, roomOf, type Rule, sizeFaults,
  type Source, wordFaults,
} from './tidy-rules.test-kit.ts'

const SRC = fileURLToPath(new URL('.', import.meta.url))

// ---- the tree ----

function sources(folder = ''): Source[] {
  return readdirSync(posix.join(SRC, folder), { withFileTypes: true }).flatMap(entry => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return sources(path)
    return path.endsWith('.ts') ? [{ path, text: readFileSync(posix.join(SRC, path), 'utf8') }] : []
  })
}

const tree = sources()
const rules: [name: string, rule: Rule][] = [
  ['rooms import one way', importFaults],
  ['files have their place and say what they are for', placeFaults],
  ['exports have names', exportFaults],
  ['nothing is put off', wordFaults],
  ['lines and files are short', sizeFaults],
  ['functions are short', functionFaults],
  ['hot files make no garbage', garbageFaults],
]
for (const [name, rule] of rules) {
  test(`the tree: ${name}`, t => t.deepEqual(tree.flatMap(rule), []))
}

test('the tree has been found', t => {
  t.true(tree.some(({ path }) => path === 'tidy.test.ts'))
  t.true(tree.some(({ text, path }) => isHot(text) && roomOf(path) === 'wire'))
})

test('every golden frame is named in a test of its own, besides the fuzzing', t => {
  const tests = tree.filter(({ path }) => /^wire\/.*\.test\.ts$/.test(path))
  const words = tests.map(({ text }) => text).join('\n')
  const files = readdirSync(posix.join(SRC, 'wire/vectors'))
  const names = files.map(file => posix.basename(file, '.hex'))
  t.deepEqual(names.filter(name => !words.includes(`'${name}'`)), [])
})

// ---- planted faults, and what must not be taken for one ----

const imports: [name: string, path: string, text: string, why: RegExp | undefined][] = [
  ['leftwards', 'path/a.ts', "import { a } from '../wire/ether.ts'", undefined],
  ['own room', 'kernel/netlink/a.ts', "import { a } from '../sys.ts'", undefined],
  ['upwards', 'wire/a.ts', "import { a } from '../path/b.ts'", /wire imports nothing/],
  ['upwards from base', 'base/log.ts', "import { a } from '../daemon/b.ts'", /left of daemon/],
  ['upwards over lines', 'kernel/a.ts', "import {\n  a,\n  b,\n} from '../path/b.ts'", /left of/],
  ['upwards by re-export', 'kernel/a.ts', "export { a } from '../path/b.ts'", /left of/],
  ['upwards by re-export of all', 'kernel/a.ts', "export * from '../path/b.ts'", /left of/],
  ['upwards at run time', 'kernel/a.ts', "const a = await import('../path/b.ts')", /left of/],
  ['upwards for a type', 'kernel/a.ts', "import type { A } from '../path/b.ts'", /left of/],
  ['upwards in an inline type', 'kernel/a.ts', "type A = import('../path/b.ts').A", /left of/],
  ['upwards behind others', 'kernel/a.ts', "import a from 'a'\nimport '../path/b.ts'", /left of/],
  ['upwards in a test', 'kernel/a.test.ts', "import { a } from '../path/b.ts'", undefined],
  ['in a comment', 'kernel/a.ts', "// import { a } from '../path/b.ts'", undefined],
  ['in a string', 'kernel/a.ts', 'const a = "import \'../path/b.ts\'"', undefined],
  ['wire, assert', 'wire/a.ts', "import { assert } from '../base/assert.ts'", undefined],
  ['wire, rest of base', 'wire/a.ts', "import { a } from '../base/text.ts'", /nothing but/],
  ['wire, Node', 'wire/a.ts', "import { a } from 'node:fs'", /wire imports nothing/],
  ['wire, Node in a test kit', 'wire/a.test-kit.ts', "import { a } from 'node:fs'", undefined],
  ['path, port', 'path/a.ts', "import type { A } from '../kernel/port.ts'", undefined],
  ['path, ring', 'path/a.ts', "import { a } from '../kernel/ring.ts'", undefined],
  ['path, tap', 'path/a.ts', "import { a } from '../kernel/tap.ts'", /only port\.ts and ring/],
  ['cluster, path', 'cluster/a.ts', "import { a } from '../path/a.ts'", /cluster knows neither/],
  ['cluster, kernel', 'cluster/a.ts', "import { a } from '../kernel/a.ts'", /cluster knows/],
  ['api, daemon', 'api/client.ts', "import { a } from '../daemon/a.ts'", /only server\.ts/],
  ['api, daemon for a type', 'api/a.ts', "import type { A } from '../daemon/a.ts'", undefined],
  ['api, daemon for a type inside', 'api/a.ts', "import { type A } from '../daemon/a.ts'", /only/],
  ['api, a value called type', 'api/a.ts', "import type from '../daemon/a.ts'", /only server/],
  ['routes, daemon', 'api/routes.ts', "import { a } from '../daemon/a.ts'", undefined],
  ['a namesake of routes', 'api/cli/routes.ts', "import { a } from '../../daemon/a.ts'", /only/],
  ['syscalls outside', 'daemon/a.ts', "import { a } from '../kernel/syscalls.ts'", /kernel alone/],
  ['syscalls inside', 'kernel/a.ts', "import { sys } from './syscalls.ts'", undefined],
  ['native package', 'daemon/a.ts', "import koffi from 'koffi'", /belong to kernel/],
  ['part of a native package', 'api/a.ts', "import a from 'netlink/lib/a.js'", /belong to kernel/],
  ['native package in kernel', 'kernel/a.ts', "import koffi from 'koffi'", undefined],
  ['native package, required', 'api/a.ts', "const cap = require('cap')", /belong to kernel/],
  ['native package in a test', 'api/a.test.ts', "import koffi from 'koffi'", /belong to kernel/],
  ['a package that only begins so', 'api/a.ts', "import a from 'capital'", undefined],
  ['http', 'api/a.ts', "import { request } from 'node:http'", /loads far more/],
  ['http beside a type', 'api/a.ts', "import { request, type Server } from 'http'", /far more/],
  ['http for a type', 'api/a.ts', "import type { Server } from 'node:http'", undefined],
  ['http in a test', 'api/a.test.ts', "import { request } from 'node:http'", undefined],
  ['no ending', 'path/a.ts', "import { a } from './b'", /ends in \.ts/],
  ['wrong ending', 'path/a.test.ts', "import { a } from './b.js'", /ends in \.ts/],
  ['outside', 'api/a.ts', "import { a } from '../../bench/a.ts'", /outside of src/],
  ['package.json', 'api/a.ts', "import a from '../../package.json' with { type: 'json' }",
    undefined],
]
for (const [name, path, text, why] of imports) {
  test(`import: ${name}`, t => {
    const faults = importFaults({ path, text })
    if (why === undefined) t.deepEqual(faults, [])
    else t.regex(faults.join('\n'), why)
  })
}

const HOT = '// hot: a snippet\n'
const garbages: [name: string, code: string, what: RegExp | undefined][] = [
  ['new', 'const a = new DataView(b)', /:2: new/],
  ['new in a throw', 'function f(): void {\n  throw new Error("a")\n}', /:3: new/],
  ['object, assigned', 'const a = { b: 1 }', /object/],
  ['object, empty', 'let a = {}', /object/],
  ['object, returned', 'function f() {\n  return { a: 1 }\n}', /:3: object/],
  ['object, argument', 'f({ a: 1 })', /object/],
  ['object, later argument', 'f(a, { a: 1 })', /object/],
  ['object, default', 'function f(a = {}) {}', /object/],
  ['object, either', 'const a = b ? { c: 1 } : 2', /object/],
  ['object, or', 'const a = b ? 2 : { c: 1 }', /object/],
  ['object, satisfying', 'const a = { b: 1 } as const satisfies { b: number }', /object/],
  ['array', 'const a = [1, 2]', /array/],
  ['array, empty and argument', 'f([])', /array/],
  ['array, returned', 'function f() {\n  return [a, b]\n}', /array/],
  ['array, pattern', 'const [a, b] = c', /array/],
  ['array, pattern after a block', '{\n}\n[a, b] = c', /array/],
  ['template', 'const a = `b`', /template/],
  ['template, with a value', 'log(`a ${b} c`)', /template/],
  ['spread, arguments', 'f(...a)', /spread/],
  ['rest', 'function f(...a: number[]) {}', /spread/],
  ['arrow', 'const f = (a: number) => a', /arrow/],
  ['arrow, argument', 'a.forEach(b => b)', /arrow/],
  ['closure', 'const f = function () {}', /closure/],
  ['closure, argument', 'f(function () {})', /closure/],
  ['closure, async', 'const f = async function () {}', /closure/],
  ['closure, named and inside', 'function f() {\n  function g() {}\n}', /:3: closure/],
  ['for of', 'function f(a: number[]) {\n  for (const b of a) c(b)\n}', /for…of/],
  ['for of, a pattern', 'for (const { b } of a) c(b)', /for…of/],
  ['for await', 'for await (const b of a) c(b)', /for…of/],
  ['regular expression', 'const a = /b/.test(c)', /regular/],
  ['constructor outside of a class', 'const a = b\nconstructor(c)\n{\n  f([])\n}', /array/],
  ['field, run later', 'class A {\n  b = (c: number) => [c]\n}', /:3: array/],
  ['field, body run later', 'class A {\n  b = f(() => {\n    return new B()\n  })\n}', /:4: new/],
  ['field, function run later', 'class A {\n  b = function () {\n    g(`c`)\n  }\n}', /:4: temp/],
  ['method after a field', 'class A {\n  #b = 1\n  c() {\n    return [1]\n  }\n}', /:5: array/],
  ['default after a field', 'class A {\n  b = 1\n  c(d = {}) {\n  }\n}', /:4: object/],
  ['getter after a field', 'class A {\n  b = f(1)\n  get c() {\n    return {}\n  }\n}', /:5: obj/],
  ['method after a constructor', 'class A {\n  constructor() {\n  }\n  b() {\n    return new C()\n'
    + '  }\n}', /:6: new/],
  ['assignment in a method', 'class A {\n  b() {\n    this.c = []\n  }\n}', /:4: array/],
  ['after a maker', 'function makeA() {\n  return []\n}\nconst a = []', /:5: array/],
  ['before a maker', 'const a = {}\nfunction makeA() {}', /:2: object/],
  ['in what only sounds like a maker', 'function maker() {\n  return []\n}', /array/],

  ['maker', 'export function makeRing(a = {}): { b: Uint8Array } {\n'
    + '  const b = [...c].map(d => ({ d }))\n  for (const e of b) f(`${e}`)\n'
    + '  return { b: new Uint8Array(1) }\n}', undefined],
  ['maker, method', 'class A {\n  makeB(): number[] {\n    return [1]\n  }\n}', undefined],
  ['maker, private', 'class A {\n  #makeB() {\n    return [1]\n  }\n}', undefined],
  ['constructor', 'class A {\n  constructor(a: number[]) {\n    this.#b = [...a]\n    if (a[0]) '
    + '{\n      throw new B(`c`, { a })\n    }\n  }\n}', undefined],
  ['fields', 'class A {\n  readonly b = new Int32Array(C)\n  #d: number[] = [\n    1,\n  ]\n'
    + '  static e = f({ g: 1 })\n    + h(`i`)\n  j = (k: number) => k\n}', undefined],
  ['type', 'type A = { b: [number, string]; c: () => `d${string}` }', undefined],
  ['type, exported over lines', 'export type A = Readonly<{\n  b: number[]\n}>', undefined],
  ['interface', 'export interface A {\n  b(c: { d: number }): [number]\n}', undefined],
  ['type in a signature', 'function f(a: { b: 1 }, c: [d: 1]): { e: 1 } {\n  return a.b\n}',
    undefined],
  ['type, cast', 'const a = b as unknown as [number, { c: 1 }]', undefined],
  ['type, of a function', 'function f(a: (b: number) => void): void {\n  a(1)\n}', undefined],
  ['imports', "import { a } from './a.ts'\nimport type { B } from './b.ts'", undefined],
  ['default and named import', "import a, { b } from './a.ts'", undefined],
  ['exports', 'const a = 1\nexport { a }', undefined],
  ['index', 'a[0] = b[c[1]]! + d()[2] + e?.[3]', undefined],
  ['index of what may be missing', 'plane.counters[COUNT]! += 1', undefined],
  ['bodies', 'if (a) {\n} else {\n}\nfor (;;) {\n}\nwhile (a) {\n}\ndo {\n} while (a)', undefined],
  ['try', 'try {\n  f()\n} catch {\n  g()\n} finally {\n  h()\n}', undefined],
  ['catch', 'try {\n} catch (error) {\n}', undefined],
  ['cases', 'switch (a) {\n  case 1: {\n    break\n  }\n  default: {\n    b()\n  }\n}', undefined],
  ['function', 'export function f(): void {\n}\nfunction g(): void {\n}', undefined],
  ['function after a constant', 'const a = 1\nfunction g(): void {\n}', undefined],
  ['class', 'export class A extends B.C {\n  d = 1\n  e(): void {\n  }\n}', undefined],
  ['object pattern', 'const { a, b } = c', undefined],
  ['comments', '// new {} [] `a` ...b => for (const c of d)\n/* [] */ /** new */', undefined],
  ['strings', "assert(a, 'new [] {} `` => ...')", undefined],
  ['division', 'const a = b / c / d', undefined],
  ['words that only contain one', 'renew(newest, offset.of, a.new)', undefined],
]
for (const [name, code, what] of garbages) {
  test(`hot: ${name}`, t => {
    const faults = garbageFaults({ path: 'path/a.ts', text: HOT + code })
    if (what === undefined) t.deepEqual(faults, [])
    else t.regex(faults.join('\n'), what)
  })
}

test('only hot files are held to it, and not their tests', t => {
  const text = 'const a = new A([{}])'
  t.deepEqual(garbageFaults({ path: 'path/a.ts', text }), [])
  t.deepEqual(garbageFaults({ path: 'path/a.test.ts', text: HOT + text }), [])
  t.is(garbageFaults({ path: 'path/a.ts', text: HOT + text }).length, 3)
})

/** A function or more of `lines` lines. */
const long = (head: string, lines: number, tail = '}') => {
  return `${head}\n${'  a()\n'.repeat(lines - 2)}${tail}`
}
const spans: [name: string, code: string, faults: string[]][] = [
  ['longest allowed', long('function f() {', 60), []],
  ['declared', long('function f() {', 61), ['a.ts:1: f has 61 lines']],
  ['exported, with types', long('export function f(a: {\n  b: 1 }): { c: 1 } {', 60),
    ['a.ts:1: f has 61 lines']],
  ['generator', long('function* f() {', 61), ['a.ts:1: f has 61 lines']],
  ['method', long('class A {\n  async b(): Promise<void> {', 61, '}}'), ['a.ts:2: b has 61 lines']],
  ['constructor', long('class A {\n  constructor(a: number) {', 61, '}}'),
    ['a.ts:2: constructor has 61 lines']],
  ['arrow', long('const f = (a: number): void => {', 61), ['a.ts:1: a function has 61 lines']],
  ['callback', long('test("a", async t => {', 61, '})'), ['a.ts:1: a function has 61 lines']],
  ['the outer of two', long('function f() {\n  const g = () => {\n  }', 60),
    ['a.ts:1: f has 62 lines']],
  ['a block is none', long('if (a) {', 100), []],
  ['an object is none', long('const a = {', 100).replaceAll('a()', 'a:1,'), []],
  ['braces in strings and templates', long('function f() { g("}", `}${{}}`)', 61),
    ['a.ts:1: f has 61 lines']],
]
for (const [name, text, faults] of spans) {
  test(`length of a function: ${name}`, t => {
    t.deepEqual(functionFaults({ path: 'a.ts', text }), faults)
  })
}

const others: [name: string, rule: Rule, path: string, text: string, why: RegExp | undefined][] = [
  ['100 columns', sizeFaults, 'path/a.ts', 'é'.repeat(100), undefined],
  ['101 columns', sizeFaults, 'path/a.ts', 'a\n' + 'b'.repeat(101), /a\.ts:2: 101 columns/],
  ['101 columns in a test', sizeFaults, 'path/a.test.ts', 'b'.repeat(101), /101 columns/],
  ['250 lines', sizeFaults, 'path/a.ts', 'a\n'.repeat(250), undefined],
  ['251 lines', sizeFaults, 'path/a.ts', 'a\n'.repeat(251), /251 lines/],
  ['251 lines of a test', sizeFaults, 'path/a.test.ts', 'a\n'.repeat(251), undefined],
  ['to do', wordFaults, 'path/a.ts', 'a\n// TODO b', /a\.ts:2: "TODO"/],
  ['to fix', wordFaults, 'path/a.ts', '// FIXME', /FIXME/],
  ['three crosses', wordFaults, 'path/a.ts', '// XXX', /XXX/],
  ['template of a name', wordFaults, 'path/a.ts', "mkdtemp('aXXXXXX')", undefined],
  ['stub', wordFaults, 'path/a.ts', "throw new Error('Not implemented')", /Not implemented/],
  ['confession', wordFaults, 'path/a.ts', '// a simplified parser', /simplified/],
  ['default export', exportFaults, 'path/a.ts', 'export default function f() {}', /default export/],
  ['default by name', exportFaults, 'path/a.ts', 'export { a as default }', /default export/],
  ['default of a switch', exportFaults, 'path/a.ts', 'switch (a) { default: b() }', undefined],
  ['prefix', exportFaults, 'path/a.ts', 'interface IPort {}', /interface named I/],
  ['no prefix', exportFaults, 'path/a.ts', 'interface Image {}', undefined],
  ['index', placeFaults, 'path/index.ts', '// a', /no index\.ts/],
  ['utils', placeFaults, 'path/string-utils.ts', '// a', /name it after/],
  ['tenth file of base', placeFaults, 'base/more.ts', '// a', /closed list/],
  ['ninth file of base', placeFaults, 'base/ring-buffer.ts', '// a', undefined],
  ['test in base', placeFaults, 'base/more.test.ts', '// a', undefined],
  ['unknown room', placeFaults, 'attic/a.ts', '// a', /in no room/],
  ['no room', placeFaults, 'a.ts', '// a', /in no room/],
  ['nothing said', placeFaults, 'path/a.ts', 'const a = 1', /opens without saying/],
]
for (const [name, rule, path, text, why] of others) {
  test(`${rule.name}: ${name}`, t => {
    const faults = rule({ path, text })
    if (why === undefined) t.deepEqual(faults, [])
    else t.regex(faults.join('\n'), why)
  })
}
