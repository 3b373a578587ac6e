import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatBytes, formatFields, formatTable } from './table.js';

describe('a table', () => {
  it('has its columns padded, numbers on the right and no space at the end of a line', () => {
    const rows = [
      ['hesocial-backup', 1_234, 'full'],
      ['x', 7, ''],
    ];
    expect(formatTable(['name', 'bytes', 'kind'], rows)).toBe(
      ['name             bytes  kind', 'hesocial-backup   1234  full', 'x                    7'].join('\n'),
    );
  });

  it('has a column of numbers and text on the left', () => {
    expect(formatTable(['value'], [['text'], [7]])).toBe('value\ntext\n7');
  });

  it('without rows is its head', () => {
    expect(formatTable(['name', 'bytes'], [])).toBe('name  bytes');
  });
});

describe('bytes for people', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1_023, '1023 B'],
    [1_024, '1.0 KiB'],
    [1_536, '1.5 KiB'],
    [1_048_575, '1.0 MiB'],
    [1_048_576, '1.0 MiB'],
    [5 * 1024 ** 3, '5.0 GiB'],
    [1024 ** 4, '1.0 TiB'],
    [3_000 * 1024 ** 4, '3000.0 TiB'],
  ])('%i are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('are never 1,024 of a unit while there is a larger one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1024 ** 5 - 1 }), (bytes) => {
        expect(formatBytes(bytes)).not.toMatch(/^1024(\.0)? (B|[KMG]iB)$/);
      }),
      { examples: [[1_048_575], [1024 ** 3 - 1], [1024 ** 4 - 1]] },
    );
  });
});

describe('fields', () => {
  it('are one to a line, without those that are not there', () => {
    expect(formatFields({ name: 'x', rows: 0, pinned: false, label: null, parent: undefined, createdAt: 'now' })).toBe(
      ['name       x', 'rows       0', 'pinned     false', 'createdAt  now'].join('\n'),
    );
  });

  it('may all be missing', () => {
    expect(formatFields({ label: null })).toBe('');
  });
});
