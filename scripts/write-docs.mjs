// Writes the files that are generated from the code: `npm run docs`, which builds first.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { REFERENCE_PAGES } from '../dist/reference/pages.js';
import { PACKAGE_FOLDER } from '../dist/runtime/application.js';

for (const { path, text } of REFERENCE_PAGES) {
  const file = join(PACKAGE_FOLDER, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text());
  console.log(`wrote ${path}`);
}
