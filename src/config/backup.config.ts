import type { ConfigType } from '@nestjs/config';
import { concern } from './concern.js';
import { nodeEnv } from './environment.js';
import { flag, text, whole } from './variable.js';

/** When backups are taken, what they are called and how long they stay. */
export const backupConcern = concern(
  'backup',
  'When backups are taken, what they are called and how long they stay.',
  {
    NODE_ENV: nodeEnv,
    BACKUP_ENABLED: flag(true, { about: 'false: no backups of any kind are taken, and health says so.' }),
    R2_DATABASE_KEY: text(undefined, /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.duckdb$/, 'a file name that ends in .duckdb', {
      about: 'Names the database in the repository and its automatic backups.',
      default: 'hesocial-production.duckdb in production, else hesocial-backup.duckdb',
      example: 'hesocial-production.duckdb',
    }),
    R2_BACKUP_NAME: text('hesocial', /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'a name of letters, digits, dot, hyphen', {
      about: 'Manual backups are called <name>-manual-<time>.',
    }),
    R2_BACKUP_INTERVAL_MINUTES: whole(30, [0, 525_600], {
      about:
        'A backup is taken when the newest one is older than this and something changed; 0 takes none on an interval.',
      unit: 'minutes',
    }),
    R2_BACKUP_RETENTION_DAYS: whole(undefined, [0, 36_500], {
      about:
        'Backups older than this are removed, but never the newest good one, nor those that the commits of PITR_WINDOW_HOURS rest on; 0 keeps all.',
      unit: 'days',
      default: '30',
    }),
    BACKUP_KEEP_ALL_HOURS: whole(48, [0, 876_000], {
      about: 'Of backups older than this only the newest of each day (UTC) is kept.',
      unit: 'hours',
    }),
    BACKUP_RETENTION_DAYS: whole(undefined, [0, 36_500], {
      about: 'Deprecated name of R2_BACKUP_RETENTION_DAYS, used where that is unset.',
      unit: 'days',
    }),
    R2_FULL_BACKUP_DAYS: whole(7, [0, 3_650], {
      about: 'A backup stores every block, and not only changed ones, when the last such is older; 0 for never by age.',
      unit: 'days',
    }),
    R2_COMPRESS_UPLOADS: flag(true, { about: 'Compresses packs with zstd; false stores the plain database file.' }),
  },
  (env) => ({
    enabled: env.BACKUP_ENABLED,
    environment: env.NODE_ENV,
    stem: (
      env.R2_DATABASE_KEY ?? (env.NODE_ENV === 'production' ? 'hesocial-production.duckdb' : 'hesocial-backup.duckdb')
    ).replace(/\.duckdb$/, ''),
    manualStem: `${env.R2_BACKUP_NAME}-manual`,
    intervalMs: env.R2_BACKUP_INTERVAL_MINUTES * 60_000,
    retentionDays: env.R2_BACKUP_RETENTION_DAYS ?? env.BACKUP_RETENTION_DAYS ?? 30,
    keepAllMs: env.BACKUP_KEEP_ALL_HOURS * 3_600_000,
    retentionFromDeprecatedName: env.R2_BACKUP_RETENTION_DAYS === undefined && env.BACKUP_RETENTION_DAYS !== undefined,
    fullEveryMs: env.R2_FULL_BACKUP_DAYS * 86_400_000,
    compress: env.R2_COMPRESS_UPLOADS,
  }),
);

export const backupConfig = backupConcern.provider;
export type BackupConfig = ConfigType<typeof backupConfig>;
