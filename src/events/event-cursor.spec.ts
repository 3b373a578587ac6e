import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cursorSchema, encodeCursor } from './event-cursor.js';

/** Microseconds since 1970 of DuckDB's TIMESTAMP, within 18 digits: the years -29,719 to 33,658. */
const cursor = fc.record({
  startsAtUs: fc.bigInt({ min: -(10n ** 18n - 1n), max: 10n ** 18n - 1n }),
  id: fc.integer({ min: 0, max: 999_999_999 }),
});

describe('the cursor of a page', () => {
  it('is read back as it was given', () => {
    fc.assert(
      fc.property(cursor, (given) => {
        expect(cursorSchema.parse(encodeCursor(given))).toEqual(given);
      }),
    );
  });

  it('needs no escaping in an address', () => {
    fc.assert(fc.property(cursor, (given) => encodeURIComponent(encodeCursor(given)) === encodeCursor(given)));
  });

  it('keeps microseconds', () => {
    const startsAtUs = 1_767_225_600_123_457n;
    expect(cursorSchema.parse(encodeCursor({ startsAtUs, id: 6 }))).toEqual({ startsAtUs, id: 6 });
  });

  const encoded = (text: string) => Buffer.from(text, 'latin1').toString('base64url');

  it.each([
    ['nothing', ''],
    ['any text', 'hello'],
    ['a number alone', encoded('5')],
    ['a fraction', encoded('1.5.2')],
    ['an id below zero', encoded('1.-2')],
    ['too many digits', encoded(`${'9'.repeat(19)}.1`)],
    ['a statement', encoded('1.1; DROP TABLE events')],
    ['more than 100 characters', encoded('1.1').padEnd(101, '=')],
  ])('is refused when it is %s', (_, text) => {
    const result = cursorSchema.safeParse(text);
    expect(result.success).toBe(false);
  });

  it('is refused with the reason', () => {
    expect(cursorSchema.safeParse('hello').error?.issues).toEqual([
      expect.objectContaining({ message: 'is not the `next` of a page' }),
    ]);
  });

  it('is refused or read, and nothing breaks, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const result = cursorSchema.safeParse(text);
        if (result.success) expect(Buffer.from(encodeCursor(result.data))).toBeDefined();
      }),
    );
  });
});
