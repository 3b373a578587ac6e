import { table } from './markdown.mjs';
import { fixed, median } from './units.mjs';

/** Incremental backups as Markdown: a row per change and tool. */
export function describeIncremental(steps) {
  const [unchanged] = steps;
  return [
    'Incremental backups, one change after the other. Floor: the changed blocks after Eider’s zstd. Added: all that is new in the store. Times and bytes against Eider’s (above 1: Eider is faster, adds less):',
    '',
    table(
      [
        'change',
        'changed blocks',
        'their kB',
        'floor kB',
        'tool',
        's',
        'all runs',
        'time',
        'kB added',
        'bytes',
        'added against the floor',
      ],
      steps.flatMap(rowsOf),
    ),
    '',
    `Eider’s backup without the start of its process, s: ${steps.map(inside).join('; ')}.`,
    ...requests(unchanged),
  ];
}

function rowsOf({ change, blocks, tools }) {
  const [own, ...others] = Object.entries(tools).map(summarize);
  const [count, bytes, floor] = ['count', 'bytes', 'packed'].map((key) => median(blocks.map((one) => one[key])));
  const cells = ({ name, seconds, all, added }, ratios) => [
    name,
    fixed(seconds, 2),
    all.map((one) => fixed(one, 2)).join(' '),
    ratios.time,
    kilobytes(added),
    ratios.bytes,
    count === 0 ? '-' : times(added, floor),
  ];
  return [
    [change, String(count), kilobytes(bytes), kilobytes(floor), ...cells(own, { time: '', bytes: '' })],
    ...others.map((tool) => {
      const ratios = { time: times(tool.seconds, own.seconds), bytes: times(tool.added, own.added) };
      return ['', '', '', '', ...cells(tool, ratios)];
    }),
  ];
}

function summarize([name, runs]) {
  const all = runs.map((one) => one.seconds);
  return { name, all, seconds: median(all), added: median(runs.map((one) => one.added)) };
}

function inside({ change, tools: { eider } }) {
  return `${change} ${fixed(median(eider.map((one) => one.inside)), 2)}`;
}

/** Nothing where the store is a folder. */
function requests({ change, tools }) {
  const counted = Object.entries(tools).flatMap(([name, [{ requests: counts }]]) => {
    if (counts === undefined) return [];
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return [`${name} ${total} (${counts.PUT ?? 0} PUT)`];
  });
  return counted.length === 0 ? [] : ['', `Requests to the store, ${change}: ${counted.join('; ')}.`];
}

function times(value, base) {
  return `${fixed(value / base, 2)}x`;
}

function kilobytes(bytes) {
  return fixed(bytes / 1e3);
}
