import { table } from './markdown.mjs';
import { fixed, median, MIB } from './units.mjs';

/** Restores in the place of local files as Markdown: a row for each. */
export function describeDelta(cases) {
  const [nowhere] = cases;
  const base = secondsOf(nowhere);
  return [
    'Restores of one backup in the place of a local file (`eider restore`), against one where there is none. “Inside”: without the start of the process.',
    '',
    table(
      [
        'local file',
        'blocks that differ',
        'local blocks',
        'MB fetched',
        's',
        'all runs',
        'inside s',
        'time',
        'peak MiB',
      ],
      cases.map((one) => {
        const [first] = one.runs;
        const seconds = secondsOf(one);
        return [
          one.local,
          one.different === undefined ? '-' : String(one.different),
          `${first.localBlocks} of ${first.blocks}`,
          fixed(first.fetched / 1e6, 2),
          fixed(seconds, 2),
          one.runs.map((run) => fixed(run.seconds, 2)).join(' '),
          fixed(median(one.runs.map(({ inside }) => inside)), 2),
          `${fixed(seconds / base, 2)}x`,
          fixed(Math.max(...one.runs.map(({ peak }) => peak)) / MIB, 0),
        ];
      }),
    ),
  ];
}

function secondsOf({ runs }) {
  return median(runs.map(({ seconds }) => seconds));
}
