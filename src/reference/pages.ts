import { configurationPage } from './configuration-page.js';
import { environmentExample } from './environment-example.js';
import { errorPage } from './error-page.js';

/** A file of the repository that is generated from the code. */
export interface ReferencePage {
  /** In the package's folder. */
  readonly path: string;
  readonly text: () => string;
}

/** Written by `npm run docs`; a test fails when a file is not what the code gives. */
export const REFERENCE_PAGES: readonly ReferencePage[] = [
  { path: '.env.example', text: environmentExample },
  { path: 'docs/configuration.md', text: configurationPage },
  { path: 'docs/errors.md', text: errorPage },
];
