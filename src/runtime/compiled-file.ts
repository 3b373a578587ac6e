import { fileURLToPath } from 'node:url';

/**
 * Path of a compiled sibling module, for worker threads and child processes, which Node starts from a JavaScript file.
 *
 * @param from - `import.meta.url` of the caller. Under the test runner this is a file below `src/`; the build that the
 *   test command makes first has its sibling below `dist/`.
 */
export function compiledFile(from: string, relative: string): string {
  const file = fileURLToPath(new URL(relative, from));
  return from.endsWith('.ts') ? file.replace(/([\\/])src([\\/])(?!.*[\\/]src[\\/])/, '$1dist$2') : file;
}
