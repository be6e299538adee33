// A small root file system in a folder of its own, with the links that a real one has.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A file's text, or where a link leads. A file whose text begins with "#!" can be executed. */
export type Entry = string | Readonly<{ link: string }>

/** Make the file system, call `body`, and remove it. @param entries by path inside it */
export function withRootfs(entries: Readonly<Record<string, Entry>>,
  body: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'tapmesh-root-'))
  try {
    for (const [path, entry] of Object.entries(entries)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      if (typeof entry !== 'string') symlinkSync(entry.link, join(root, path))
      else writeFileSync(join(root, path), entry, { mode: entry.startsWith('#!') ? 0o755 : 0o644 })
    }
    body(root)
  } finally {
    rmSync(root, { recursive: true })
  }
}
