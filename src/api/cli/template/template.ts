// Templates of --format: fields, functions, if, range and with of Go's text/template, as far as
// people write them on a command line. A field that is not there is an error that names those that
// are, so that a mistyped one does not become an empty line.
import { UsageError } from '../../../base/errors.ts'
import {
  FUNCTIONS, goText, isEmpty, NO_VALUE, type TemplateFunction,
} from './functions.ts'
import { type Call, type Expression, parseTemplate, type Part, type Pipeline } from './parse.ts'

export type Template = (data: unknown, functions?: typeof FUNCTIONS) => string

/** Here keys are what people chose: one that is not there is no mistake. */
const MAPS = ['labels', 'options', 'containers', 'services', 'counters', 'drops']
const NAMES_SHOWN_MAX = 24

type Scope = Readonly<{
  dot: unknown
  root: unknown
  variables: Map<string, unknown>
  functions: Readonly<Record<string, TemplateFunction>>
}>

/** @throws UsageError when the template is not well formed; so does what is returned, when used */
export function compileTemplate(source: string): Template {
  const parts = within(source, () => parseTemplate(source))
  return (data, functions = FUNCTIONS) => within(source, () =>
    render(parts, { dot: data, root: data, variables: new Map(), functions }))
}

function within<T>(source: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new UsageError(`--format "${source}": ${error.message}`, { format: source })
  }
}

function render(parts: readonly Part[], scope: Scope): string {
  return parts.map(part => {
    switch (part.kind) {
      case 'text': return part.text
      case 'print': return printed(part.pipeline, scope)
      case 'range': return repeated(part, scope)
      default: return chosen(part, scope)
    }
  }).join('')
}

function printed(pipeline: Pipeline, scope: Scope): string {
  const value = evaluate(pipeline, scope)
  const [variable] = pipeline.variables
  if (variable === undefined) return goText(value)
  scope.variables.set(variable, value)
  return ''
}

type Block = Exclude<Part, { kind: 'text' | 'print' }>

function chosen({ kind, pipeline, then, otherwise }: Block, scope: Scope): string {
  const value = evaluate(pipeline, scope)
  const inner = { ...scope, variables: new Map(scope.variables) }
  const [variable] = pipeline.variables
  if (variable !== undefined) inner.variables.set(variable, value)
  if (isEmpty(value)) return render(otherwise, inner)
  return render(then, kind === 'with' ? { ...inner, dot: value } : inner)
}

function repeated({ pipeline, then, otherwise }: Block, scope: Scope): string {
  const value = evaluate(pipeline, scope)
  if (isEmpty(value)) return render(otherwise, scope)
  if (typeof value !== 'object') {
    throw new UsageError(`range takes a list or a map, not ${goText(value)}`)
  }
  const members: [key: unknown, value: unknown][] = Array.isArray(value)
    ? [...value.entries()] : Object.entries(value!).sort(([a], [b]) => a < b ? -1 : 1)
  return members.map(([key, dot]) => {
    const variables = new Map(scope.variables)
    const [first, second] = pipeline.variables
    if (second !== undefined) variables.set(second, dot)
    if (first !== undefined) variables.set(first, second === undefined ? dot : key)
    return render(then, { ...scope, dot, variables })
  }).join('')
}

function evaluate({ calls }: Pipeline, scope: Scope): unknown {
  let value: unknown
  for (const [at, call] of calls.entries()) value = called(call, at === 0 ? [] : [value], scope)
  return value
}

/** @param last the value of the call before, if there is one: it is the last argument */
function called({ head, arguments: words }: Call, last: readonly unknown[], scope: Scope): unknown {
  const values = (): unknown[] => [...words.map(word => valueOf(word, scope)), ...last]
  if (head.kind === 'call') {
    const { functions } = scope
    if (Object.hasOwn(functions, head.name)) return functions[head.name]!(...values())
    throw new UsageError(`there is no function "${head.name}"; there are: `
      + Object.keys(functions).join(', '))
  }
  const value = valueOf(head, scope)
  if (typeof value === 'function') return (value as TemplateFunction)(...values())
  if (words.length + last.length === 0) return value
  throw new UsageError(`${nameOf(head)} is a value and takes no arguments`)
}

function valueOf(expression: Expression, scope: Scope): unknown {
  switch (expression.kind) {
    case 'value': return expression.value
    case 'call': return called({ head: expression, arguments: [] }, [], scope)
    case 'group': return walk(evaluate(expression.inner, scope), '(…)', expression.fields)
    case 'chain': {
      const { from, fields } = expression
      if (from === '') return walk(scope.dot, '', fields)
      if (from === '$') return walk(scope.root, '$', fields)
      if (scope.variables.has(from)) return walk(scope.variables.get(from), from, fields)
      throw new UsageError(`there is no variable ${from}`)
    }
  }
}

function walk(start: unknown, from: string, fields: readonly string[]): unknown {
  let value = start
  let isMap = false
  let way = from
  for (const field of fields) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const what = value === null ? 'empty' : Array.isArray(value) ? 'a list' : goText(value)
      throw new UsageError(`${way === '' ? 'the value' : way} is ${what} and has no field ${field}`)
    }
    if (Object.hasOwn(value, field)) value = value[field as keyof typeof value]
    else if (isMap) value = NO_VALUE
    else throw unknownField(`${way}.${field}`, Object.keys(value))
    way = `${way}.${field}`
    isMap = MAPS.includes(field.toLowerCase())
  }
  return value
}

function unknownField(way: string, known: readonly string[]): UsageError {
  const shown = known.slice(0, NAMES_SHOWN_MAX).map(name => `.${name}`).join(', ')
  return new UsageError(`there is no field ${way}; there are: ${shown}`
    + (known.length > NAMES_SHOWN_MAX ? ', …' : ''))
}

function nameOf(expression: Expression): string {
  return expression.kind === 'chain'
    ? [expression.from, ...expression.fields].join('.') || '.' : 'this'
}
