import { table } from './markdown.mjs';
import { fixed, median, MIB } from './units.mjs';

/** Restores in the place of local files as Markdown: a row for each file and tool. */
export function describeDelta(cases) {
  return [
    'Restores of one backup in the place of a local file (`eider restore`, `restic restore`, `rclone copyto --checksum`). Times and bytes against Eider’s (above 1: Eider is faster, fetches less):',
    '',
    table(
      ['local file', 'blocks that differ', 'tool', 's', 'all runs', 'time', 'MB fetched', 'bytes', 'peak MiB'],
      cases.flatMap(rowsOf),
    ),
    '',
    `Local blocks that Eider used: ${cases.map(localBlocks).join('; ')}.`,
  ];
}

function rowsOf({ local, different, tools }) {
  const [own, ...others] = Object.entries(tools).map(summarize);
  const place = [local, different === undefined ? '-' : String(different)];
  return [
    [...place, ...cells(own, '', '')],
    ...others.map((tool) => [
      '',
      '',
      ...cells(
        tool,
        times(tool.seconds, own.seconds),
        tool.fetched === undefined ? undefined : times(tool.fetched, own.fetched),
      ),
    ]),
  ];
}

function summarize([name, runs]) {
  const all = runs.map(({ seconds }) => seconds);
  const peak = Math.max(...runs.map((one) => one.peak));
  return { name, all, seconds: median(all), fetched: runs[0].fetched, peak };
}

function cells({ name, all, seconds, fetched, peak }, time, bytes) {
  const megabytes = fetched === undefined ? undefined : fetched / 1e6;
  return [
    name,
    fixed(seconds, 2),
    all.map((one) => fixed(one, 2)).join(' '),
    time,
    fixed(megabytes, 2),
    bytes ?? '-',
    fixed(peak / MIB, 0),
  ];
}

function localBlocks({ local, tools }) {
  const [[{ report }]] = Object.values(tools);
  return `${local} ${report.localBlocks} of ${report.blocks} (${fixed(report.inside, 2)} s without the start of the process)`;
}

function times(value, base) {
  return `${fixed(value / base, 2)}x`;
}
