// Loaded before a program (node --import): writes the path of each module that it loads into the file MODULES_FILE, a line for each.
import { appendFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';

const file = process.env.MODULES_FILE;
const hooks = `
import { appendFileSync } from 'node:fs';
export async function load(url, context, next) {
  appendFileSync(${JSON.stringify(file)}, url + '\\n');
  return next(url, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
// What is required, too: of that the loader is not told.
process.on('exit', () => {
  const required = Object.keys(createRequire(import.meta.url).cache);
  appendFileSync(file, required.map((path) => `${path}\n`).join(''));
});
