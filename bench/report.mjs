import { describeDelta } from './delta-report.mjs';
import { describeIncremental } from './incremental-report.mjs';
import { table } from './markdown.mjs';
import { fixed, median, MIB } from './units.mjs';

/** The results as Markdown, ratios first; without what was not measured. */
export function report({ date, machine, store, bytes, runs, loads, contenders, results, incremental, delta, service }) {
  const rows = results && contenders.map(({ name }) => summarize(name, results.get(name), bytes));
  const sections = [
    rows && competition(rows, contenders, bytes),
    rows && service && memory(service, rows[0]),
    service && latency(service),
    incremental && describeIncremental(incremental),
    delta && describeDelta(delta),
  ];
  return [
    `Taken ${date}, median of ${runs}, database of ${fixed(bytes / 1e6, 0)} MB.`,
    `Machine: ${machine.join('; ')}. Store: ${store}, on the same machine and disk.`,
    `Load average (1 min) before and after each round: ${loads.map((load) => fixed(load)).join(', ')}.`,
    ...sections.filter(Boolean).flatMap((lines) => ['', ...lines]),
  ].join('\n');
}

function competition(rows, contenders, bytes) {
  const own = rows[0];
  return [
    'How many times as long as Eider each tool takes (above 1: Eider is faster):',
    '',
    table(
      ['tool', 'backup', 'restore'],
      rows.slice(1).map((row) => [row.name, times(row.backup, own.backup), times(row.restore, own.restore)]),
    ),
    '',
    'Seconds, throughput in MB of database per second, processor seconds, and peak resident memory of the tool’s process (+ that of the largest process it starts):',
    '',
    table(
      ['tool', 'backup s', 'all runs', 'MB/s', 'CPU s', 'MiB', 'restore s', 'all runs', 'MB/s', 'CPU s', 'MiB'],
      rows.map((row) => [row.name, ...columns(row.backup, bytes), ...columns(row.restore, bytes)]),
    ),
    '',
    ...contenders.map(({ name, about }) => `- ${name}: ${about}`),
  ];
}

function summarize(name, { backup, restore }) {
  return { name, backup: phase(backup), restore: phase(restore) };
}

function phase(runs) {
  const seconds = runs.map((one) => one.seconds);
  const most = (key) => Math.max(...runs.map((one) => one[key]));
  return {
    median: median(seconds),
    seconds,
    cpu: median(runs.map((one) => one.cpu)),
    peak: most('peak'),
    child: most('child'),
  };
}

function times(peer, own) {
  return `${fixed(peer.median / own.median, 2)}x`;
}

function columns({ median: seconds, seconds: all, cpu, peak, child }, bytes) {
  // A shell that only starts the tool is not worth a figure of its own.
  const memory =
    child === 0 || peak < 8 * MIB ? mebibytes(Math.max(peak, child)) : `${mebibytes(peak)} + ${mebibytes(child)}`;
  return [fixed(seconds), all.map((one) => fixed(one)).join(' '), fixed(bytes / seconds / 1e6, 0), fixed(cpu), memory];
}

function memory({ memory: { loaded, idle, peak, duckdb } }, own) {
  const above = (value, base) => `${mebibytes(value - base)} MiB`;
  return [
    'Memory of Eider’s process above the same process at rest:',
    '',
    table(
      ['what', 'at rest MiB', 'peak MiB', 'above'],
      [
        [
          'backup in a process that has the database open and commits',
          mebibytes(idle),
          mebibytes(peak),
          above(peak, idle),
        ],
        [
          'backup, command line (against the open database at rest)',
          mebibytes(idle),
          mebibytes(own.backup.peak),
          above(own.backup.peak, idle),
        ],
        [
          'restore, command line (against the loaded program)',
          mebibytes(loaded),
          mebibytes(own.restore.peak),
          above(own.restore.peak, loaded),
        ],
      ],
    ),
    '',
    `DuckDB’s own memory meanwhile (duckdb_memory()): ${mebibytes(duckdb)} MiB at most. The process that checks a restored file is DuckDB alone (memory_limit 1 GB): ${mebibytes(own.restore.child)} MiB at most.`,
  ];
}

function latency({ alone, backup, other, seconds, distant }) {
  const row = (name, { count, p50, p99, max, loop }, rest) => [
    name,
    String(count),
    fixed(p50),
    fixed(p99),
    fixed(max),
    fixed(loop),
    `${fixed(p99 / rest.p99, 1)}x`,
  ];
  return [
    'A small commit every 10 ms, latency in ms from the moment it was due, and the longest that the main thread was held up:',
    '',
    table(
      ['meanwhile', 'commits', 'p50', 'p99', 'max', 'thread held up', 'p99 against nothing'],
      [
        row('nothing', alone, alone),
        row(`a full backup (${fixed(seconds)} s)`, backup, alone),
        ...(other === null ? [] : [row('gzip + PUT by another process', other, alone)]),
        row('nothing, before the next', distant.alone, distant.alone),
        row(
          `a full backup to a store elsewhere (1 Gbit/s, 50 ms; ${fixed(distant.seconds)} s)`,
          distant.backup,
          distant.alone,
        ),
      ],
    ),
  ];
}

function mebibytes(bytes) {
  return fixed(bytes / MIB, 0);
}
