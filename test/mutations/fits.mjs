#!/usr/bin/env node
// Ends with 1 where a change of `npm run test:mutations` cannot be made any more, since the code has moved.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MUTATIONS } from './mutations.mjs';

for (const { name, file, from, to } of MUTATIONS) {
  const source = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
  if (source.replace(from, to) !== source) continue;
  console.error(`"${name}" no longer fits ${file}`);
  process.exitCode = 1;
}
