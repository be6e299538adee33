// hot: what other workers have learned goes into the own table, once in a breath, before any frame
import { COUNT_UNHEARD } from './counters.ts'
import { NETWORK_LEARNED_MAX } from './image.ts'
import { FROM_UNDERLAY, learnTold } from './learned.ts'
import {
  type News, NEWS_ADDRESS, NEWS_GENERATION, NEWS_MAC_HIGH, NEWS_MAC_LOW, NEWS_PORT, NEWS_ROWS,
  NEWS_VNI, passRow, readNext, skipLost, waiting,
} from './news.ts'
import type { Plane } from './plane.ts'
import { findNetwork, networkWord } from './tables.ts'

/** Take what the others told since the last breath. Costs one look for each of them. */
export function hear(plane: Plane): void {
  const { news } = plane
  for (let n = 0; n < news.others.length; n++) if (waiting(news, n) !== 0) hearFrom(plane, news, n)
}

function hearFrom(plane: Plane, news: News, n: number): void {
  for (let left = NEWS_ROWS; left > 0 && waiting(news, n) !== 0; left--) {
    if (waiting(news, n) >= NEWS_ROWS || !readNext(news, n)) {
      plane.counters[COUNT_UNHEARD]! += skipLost(news, n)
      continue
    }
    // Of tables that are on their way to us, too: its slots are not ours yet.
    if (((news.row[NEWS_GENERATION]! - plane.tables.generation) | 0) > 0) return
    take(plane, news.row)
    passRow(news, n)
  }
}

/** A slot means something in its own generation only: a port of another network may have it now. */
function take(plane: Plane, row: Int32Array): void {
  const { tables } = plane
  const vni = row[NEWS_VNI]!
  const port = row[NEWS_PORT]!
  if (port !== FROM_UNDERLAY && row[NEWS_GENERATION] !== tables.generation) return
  const network = findNetwork(tables, vni)
  if (network < 0) return
  learnTold(plane.learned, vni, networkWord(tables, network, NETWORK_LEARNED_MAX),
    row[NEWS_MAC_HIGH]!, row[NEWS_MAC_LOW]!, port, row[NEWS_ADDRESS]!, plane.nowSeconds)
}
