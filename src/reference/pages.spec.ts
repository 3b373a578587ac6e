import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { checkConfiguration, CONCERNS } from '../config/configuration.js';
import type { Environment } from '../config/concern.js';
import { storeConcern } from '../config/store.config.js';
import { ERRORS } from '../errors/catalogue.js';
import { PACKAGE_FOLDER } from '../runtime/application.js';
import { SMALLEST } from './configuration-page.js';
import { environmentExample } from './environment-example.js';
import { REFERENCE_PAGES } from './pages.js';

const variables = [...new Set(CONCERNS.flatMap((concern) => [...concern.variables().keys()]))];
const configuration = (env: Environment) => CONCERNS.map((concern) => concern.parse(env));

describe('a generated page', () => {
  it.each(REFERENCE_PAGES)('$path is what the code gives; if not: npm run docs', async ({ path, text }) => {
    expect(await readFile(join(PACKAGE_FOLDER, path), 'utf8')).toBe(text());
  });

  it.each(['.env.example', 'docs/configuration.md'])('%s has every variable once and no other', (path) => {
    const page = REFERENCE_PAGES.find((candidate) => candidate.path === path)?.text() ?? '';
    const entry = path === '.env.example' ? /^(?:# )?([A-Z][A-Z0-9_]*)=/gm : /^\| `([A-Z][A-Z0-9_]*)` /gm;
    expect([...page.matchAll(entry)].map((match) => match[1])).toEqual(variables);
  });

  it('docs/errors.md has every code under a heading of its own, with its status', () => {
    const page = REFERENCE_PAGES.find(({ path }) => path === 'docs/errors.md')?.text() ?? '';
    const sections = [...page.matchAll(/^## (\w+)\n\n.*HTTP status (\d+)\.$/gm)].map(([, code, status]) => [
      code,
      status,
    ]);
    expect(sections).toEqual(Object.entries(ERRORS).map(([code, { status }]) => [code, String(status)]));
  });
});

describe('.env.example', () => {
  it('changes nothing when it is used as it is', () => {
    expect(configuration(parseEnv(environmentExample()) as Environment)).toEqual(configuration({}));
  });

  it('is valid with every line taken in', () => {
    const all = parseEnv(environmentExample().replaceAll(/^# ([A-Z][A-Z0-9_]*=)/gm, '$1')) as Environment;
    expect(Object.keys(all).toSorted()).toEqual(variables.toSorted());
    expect(() => checkConfiguration({ ...all, R2_SYNC_ENABLED: 'true' })).not.toThrow();
  });
});

describe('what the pages say', () => {
  it.each(Object.entries(SMALLEST))('of the smallest configuration for %s is valid', (kind, lines) => {
    const env = parseEnv(lines.join('\n')) as Environment;
    expect(() => checkConfiguration(env)).not.toThrow();
    expect(storeConcern.parse(env).kind).toBe(kind === 'folder' ? 'folder' : 'bucket');
  });

  it('names variables and codes that exist', () => {
    const known = new Set([...variables, ...Object.keys(ERRORS)]);
    const texts = [
      ...Object.values(ERRORS).flatMap(({ title, advice }) => [title, advice]),
      ...CONCERNS.flatMap((concern) => [...concern.variables().values()].flatMap((doc) => [doc.about, doc.default])),
    ];
    const named = texts.flatMap((text) => text.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g) ?? []);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});
