import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** The package's folder: the nearest one above this file that holds package.json, in `src` as in `dist`. */
export const PACKAGE_FOLDER = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Name and version of this program, as package.json has them. */
export const APPLICATION = z
  .object({ name: z.string(), version: z.string() })
  .parse(JSON.parse(readFileSync(join(PACKAGE_FOLDER, 'package.json'), 'utf8')));
