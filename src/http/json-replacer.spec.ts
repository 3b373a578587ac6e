import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { jsonReplacer } from './json-replacer.js';

describe('numbers of 64 bits and more in JSON', () => {
  it.each([
    [0n, '0'],
    [-1n, '-1'],
    [9_007_199_254_740_991n, '9007199254740991'],
    [9_007_199_254_740_992n, '"9007199254740992"'],
    [-9_007_199_254_740_992n, '"-9007199254740992"'],
    [170_141_183_460_469_231_731_687_303_715_884_105_727n, '"170141183460469231731687303715884105727"'],
  ])('%s is %s', (value, json) => {
    expect(JSON.stringify({ value }, jsonReplacer)).toBe(`{"value":${json}}`);
  });

  it('are never rounded', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n }), (value) => {
        const [back] = JSON.parse(JSON.stringify([value], jsonReplacer)) as (string | number)[];
        expect(BigInt(back ?? 0)).toBe(value);
      }),
    );
  });

  it('leave everything else as JSON has it', () => {
    const value = { text: 'x', list: [1, null, true], at: new Date(0), nested: { missing: undefined } };
    expect(JSON.stringify(value, jsonReplacer)).toBe(JSON.stringify(value));
  });
});
