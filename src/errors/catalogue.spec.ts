import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { ERRORS } from './catalogue.js';

const FOLDER = new URL('.', import.meta.url);

/** The codes that the files of the concerns hold, as they are written there. */
function written(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('-errors.ts'));
  const texts = files.map((file) => readFileSync(new URL(file, FOLDER), 'utf8'));
  return texts.flatMap((text) => [...text.matchAll(/^ {2}([A-Z_0-9]+): entry\(/gm)].map(([, code = '']) => code));
}

describe('the catalogue of errors', () => {
  it('has every code of every concern, each once', () => {
    expect(written().toSorted()).toEqual(Object.keys(ERRORS).toSorted());
  });
});
