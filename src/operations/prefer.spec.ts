import { describe, expect, it } from '@jest/globals';
import { preferences, prefers } from './prefer.js';

describe('the Prefer header', () => {
  it.each([
    ['respond-async', true],
    ['Respond-Async', true],
    ['respond-async=""', true],
    ['wait=10, respond-async', true],
    ['respond-async; foo="a, b"', true],
    ['respond-async=yes', false],
    ['respond-async=yes, respond-async', false],
    ['foo="respond-async"', false],
    ['foo="a, respond-async, b"', false],
    ['respond', false],
    ['', false],
    [undefined, false],
  ])('%j asks for an answer at once: %p', (header, wanted) => {
    expect(prefers(header, 'respond-async')).toBe(wanted);
  });

  it('is read from several lines as from one', () => {
    expect(preferences(['wait=1', 'respond-async, wait=2'])).toEqual([
      { name: 'wait', value: '1' },
      { name: 'respond-async', value: '' },
    ]);
  });

  it('takes what stands in quotes as one value', () => {
    expect(preferences('note="a \\"b\\", c"; x=1')).toEqual([{ name: 'note', value: 'a "b", c' }]);
  });
});
