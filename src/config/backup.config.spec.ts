import { describe, expect, it } from '@jest/globals';
import { backupConcern } from './backup.config.js';

describe('the configuration of backups', () => {
  it('has its defaults, those of the older system where that had any', () => {
    expect(backupConcern.parse({})).toEqual({
      enabled: true,
      environment: 'development',
      stem: 'hesocial-backup',
      manualStem: 'hesocial-manual',
      intervalMs: 1_800_000,
      retentionDays: 30,
      keepAllMs: 172_800_000,
      fullEveryMs: 604_800_000,
      retentionFromDeprecatedName: false,
      compress: true,
    });
  });

  it.each([
    [{}, 30, false],
    [{ R2_BACKUP_RETENTION_DAYS: '7' }, 7, false],
    [{ BACKUP_RETENTION_DAYS: '9' }, 9, true],
    [{ R2_BACKUP_RETENTION_DAYS: '7', BACKUP_RETENTION_DAYS: '9' }, 7, false],
    [{ R2_BACKUP_RETENTION_DAYS: '0', BACKUP_RETENTION_DAYS: '9' }, 0, false],
    [{ R2_BACKUP_RETENTION_DAYS: '', BACKUP_RETENTION_DAYS: '0' }, 0, true],
  ])('with %j keeps backups for %i days; deprecated name in use: %s', (env, retentionDays, deprecated) => {
    expect(backupConcern.parse(env)).toMatchObject({ retentionDays, retentionFromDeprecatedName: deprecated });
  });

  it.each([
    ['development', undefined, 'hesocial-backup'],
    ['production', undefined, 'hesocial-production'],
    ['production', 'shop.v2.duckdb', 'shop.v2'],
    ['development', 'my.duckdb.duckdb', 'my.duckdb'],
  ])('in %s with the database key %s names backups %s', (NODE_ENV, R2_DATABASE_KEY, stem) => {
    expect(backupConcern.parse({ NODE_ENV, R2_DATABASE_KEY })).toMatchObject({ stem });
  });

  it('names manual backups after R2_BACKUP_NAME', () => {
    expect(backupConcern.parse({ R2_BACKUP_NAME: 'shop' }).manualStem).toBe('shop-manual');
  });

  it('turns backups off altogether with BACKUP_ENABLED=false, and those on an interval with 0 minutes', () => {
    expect(backupConcern.parse({ BACKUP_ENABLED: 'false' }).enabled).toBe(false);
    expect(backupConcern.parse({ R2_BACKUP_INTERVAL_MINUTES: '0' })).toMatchObject({ enabled: true, intervalMs: 0 });
  });
});
