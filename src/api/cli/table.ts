// Tables as Docker prints them: no lines, a heading in capitals, columns three spaces apart.
import Table from 'cli-table3'

const GAP = '   '
const NO_LINES = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '',
  'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '',
  right: '', 'right-mid': '', middle: GAP,
}
const PLAIN = { head: [], border: [], 'padding-left': 0, 'padding-right': 0 }

/** One line for the heading and one per row, without newline at the end. */
export function tableText(heading: string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({ head: heading, chars: NO_LINES, style: PLAIN })
  for (const row of rows) table.push(row.map(oneLine))
  return table.toString().split('\n').map(line => line.trimEnd()).join('\n')
}

/** Control characters, a newline for one, would break the table or the terminal. */
function oneLine(cell: string): string {
  return cell.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
}
