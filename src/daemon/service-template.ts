// Words of a service that are different for each of its tasks: {{.Task.Slot}} and the like in host
// names and environments. They are Docker's.
import { UsageError } from '../base/errors.ts'

export type TemplateValues = Readonly<Record<string, string>>

const PLACE = /\{\{\s*(.*?)\s*\}\}/g

/** @throws UsageError for a place whose name is not known; it lists those that are */
export function fillTemplate(text: string, values: TemplateValues): string {
  return text.replaceAll(PLACE, (place, name: string) => {
    if (Object.hasOwn(values, name)) return values[name]!
    throw new UsageError(`${place} is not known here; use one of ${
      Object.keys(values).map(known => `{{${known}}}`).join(', ')}`, { place })
  })
}
