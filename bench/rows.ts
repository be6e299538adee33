// The rows of the table: what they are called, in which unit, and which way is better.

export type RowKey = 'tcp1' | 'tcp1r' | 'tcp4' | 'udp64' | 'udp64_loss' | 'udp64_clean' | 'udp1400'
  | 'rr' | 'rr_p50' | 'rr_p99' | 'rr_apart' | 'ping' | 'ping_avg' | 'ping_p99' | 'ping_1ms'
  | 'cpu' | 'cpu_tunnel' | 'rss'

export type Row = Readonly<{
  key: RowKey
  title: string
  unit: string
  better: 'higher' | 'lower'
  digits: number
  /** What --smoke accepts from a reference */
  sane: readonly [least: number, most: number]
}>

function row(
  key: RowKey, title: string, unit: string, better: Row['better'], digits: number,
  least: number, most: number,
): Row {
  return { key, title, unit, better, digits, sane: [least, most] }
}

export const ROWS: readonly Row[] = [
  row('tcp1', 'TCP, 1 stream', 'Gbit/s', 'higher', 2, 0.1, 400),
  row('tcp1r', 'TCP, 1 stream, reverse', 'Gbit/s', 'higher', 2, 0.1, 400),
  row('tcp4', 'TCP, 4 streams', 'Gbit/s', 'higher', 2, 0.1, 800),
  row('udp64', 'UDP 64 octets, flat out, received', 'k/s', 'higher', 0, 5, 20_000),
  row('udp64_loss', '... and lost', '%', 'lower', 1, -0.01, 99.9),
  row('udp64_clean', 'UDP 64 octets, < 1 % lost', 'k/s', 'higher', 0, 5, 20_000),
  row('udp1400', 'UDP 1400 octets, < 1 % lost', 'Gbit/s', 'higher', 2, 0.05, 400),
  row('rr', 'Request and response, 1 connection', '/s', 'higher', 0, 500, 1_000_000),
  row('rr_p50', '... p50', 'us', 'lower', 0, 1, 5_000),
  row('rr_p99', '... p99', 'us', 'lower', 0, 1, 50_000),
  row('rr_apart', '... each end on its processor', '/s', 'higher', 0, 500, 1_000_000),
  row('ping', 'Ping each 10 ms, p50', 'us', 'lower', 0, 1, 5_000),
  row('ping_avg', '... average', 'us', 'lower', 0, 1, 20_000),
  row('ping_p99', '... p99', 'us', 'lower', 0, 1, 100_000),
  row('ping_1ms', 'Ping each 1 ms, p50', 'us', 'lower', 0, 1, 5_000),
  row('cpu', 'CPU, whole machine', 's/GB', 'lower', 2, 0.05, 100),
  row('cpu_tunnel', 'CPU, tunnel processes', 's/GB', 'lower', 2, 0, 100),
  row('rss', 'Resident memory per host', 'MB', 'lower', 1, 0, 10_000),
]
