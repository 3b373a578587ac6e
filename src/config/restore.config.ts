import type { ConfigType } from '@nestjs/config';
import { concern } from './concern.js';
import { choice, flag, whole } from './variable.js';

/** How a database is brought back. */
export const restoreConcern = concern(
  'restore',
  'How a database is brought back.',
  {
    R2_VALIDATE_DOWNLOADS: flag(true, {
      about:
        'Checks the SHA-256 of every block and opens the restored file in a child process before it is used; false skips the second.',
    }),
    VERIFY_INTERVAL_HOURS: whole(24, [0, 8_760], {
      about: 'The newest backup is restored on trial, beside the database, when the last trial is older; 0 for never.',
      unit: 'hours',
    }),
    R2_RESTORE_ON_CONFLICT: choice('fail', ['fail', 'remote', 'local'], {
      about:
        'What a start does when the local file and the repository hold different histories. The loser is kept beside the database.',
    }),
    ALLOW_EMPTY_START: flag(false, {
      about: 'Lets a start without a local file create an empty database although the repository cannot be reached.',
    }),
    RESTORE_POINTS_KEEP: whole(3, [0, 1000], {
      about: 'How many replaced database files are kept beside the database.',
    }),
  },
  (env) => ({
    validate: env.R2_VALIDATE_DOWNLOADS,
    verifyEveryMs: env.VERIFY_INTERVAL_HOURS * 3_600_000,
    onConflict: env.R2_RESTORE_ON_CONFLICT,
    allowEmptyStart: env.ALLOW_EMPTY_START,
    restorePointsKeep: env.RESTORE_POINTS_KEEP,
  }),
);

export const restoreConfig = restoreConcern.provider;
export type RestoreConfig = ConfigType<typeof restoreConfig>;
