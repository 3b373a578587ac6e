import type { VariableDoc } from '../config/concern.js';
import { variableGroups } from './variables.js';

const HEAD = `# Every variable of Eider. Copy this file to .env in the folder that Eider is started in; what the environment sets
# already wins over .env. A line that begins with "#" and a name shows the default, or an example where there is none.
# docs/configuration.md explains more. Generated from the code by "npm run docs".
`;

/** The one that people look for first: it is written out, with its default. */
const WRITTEN_OUT = new Set(['R2_SYNC_ENABLED']);

/** The text of `.env.example`. */
export function environmentExample(): string {
  const groups = variableGroups().map(({ name, about, variables }) =>
    [`# ---- ${name}: ${about}`, ...variables.map(([variable, doc]) => entryOf(variable, doc))].join('\n\n'),
  );
  return `${[HEAD, ...groups].join('\n')}\n`.replaceAll('\n# ----', '\n\n# ----').replace('\n\n\n', '\n\n');
}

function entryOf(variable: string, doc: VariableDoc): string {
  const written = WRITTEN_OUT.has(variable);
  return [...wrapped(doc.about), `# ${formOf(doc)}`, `${written ? '' : '# '}${variable}=${exampleOf(doc)}`].join('\n');
}

function formOf({ unit, default: fallback, secret }: VariableDoc): string {
  return `Value: ${unit}. Default: ${fallback}.${secret === true ? ' Secret.' : ''}`;
}

/** A value that can be used as it stands. */
function exampleOf({ example, default: fallback }: VariableDoc): string {
  return example ?? (fallback === 'unset' ? '' : fallback);
}

/** Comment lines of at most 120 characters. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > 120) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
