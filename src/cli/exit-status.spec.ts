import { describe, expect, it } from '@jest/globals';
import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import { EXIT_STATUS, exitStatusFor } from './exit-status.js';

describe('the exit status', () => {
  it.each<[ErrorCode | undefined, number]>([
    ['CONFIGURATION_INVALID', 2],
    ['REQUEST_INVALID', 2],
    ['ENCRYPTION_KEY_MISSING', 2],
    ['BACKUP_DAMAGED', 3],
    ['MANIFEST_CORRUPT', 3],
    ['RESTORE_CHECK_FAILED', 3],
    ['DATABASE_LOCKED', 4],
    ['BACKUP_NOT_FOUND', 5],
    ['STORE_UNAVAILABLE', 6],
    ['STORE_THROTTLED', 6],
    ['INTERNAL', 1],
    [undefined, 1],
  ])('of %s is %i', (code, status) => {
    expect(exitStatusFor(code)).toBe(status);
  });

  it('of every error tells that something failed', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      expect(exitStatusFor(code)).toBeGreaterThan(0);
      expect(Object.values<number>(EXIT_STATUS)).toContain(exitStatusFor(code));
    }
  });

  it('means one thing each', () => {
    expect(new Set(Object.values(EXIT_STATUS)).size).toBe(Object.keys(EXIT_STATUS).length);
  });
});
