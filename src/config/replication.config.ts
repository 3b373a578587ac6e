import type { ConfigType } from '@nestjs/config';
import { concern } from './concern.js';
import { whole } from './variable.js';

/**
 * From this size on the log is folded although the store does not answer, bytes: points in between can then not be restored,
 * while the database itself is in the next backup.
 */
const MOST_UNSHIPPED = 256 * 1024 * 1024;

/** How commits are shipped between backups. */
export const replicationConcern = concern(
  'replication',
  'How commits are shipped between backups.',
  {
    R2_WAL_SYNC_INTERVAL_MS: whole(3_000, [0, 3_600_000], {
      about: 'Commits are in the store after this at the latest, while it answers; 0 ships none between backups.',
      unit: 'ms',
    }),
    DURABLE_TIMEOUT_MS: whole(10_000, [100, 600_000], {
      about: 'How long a commit that was asked to be durable waits for the store before the answer is 503.',
      unit: 'ms',
    }),
    PITR_WINDOW_HOURS: whole(168, [0, 876_000], {
      about: 'How far back every commit can be restored; older commits are restored with the backups that stay.',
      unit: 'hours',
    }),
  },
  (env) => ({
    syncIntervalMs: env.R2_WAL_SYNC_INTERVAL_MS,
    durableTimeoutMs: env.DURABLE_TIMEOUT_MS,
    mostUnshippedBytes: MOST_UNSHIPPED,
    windowMs: env.PITR_WINDOW_HOURS * 3_600_000,
  }),
);

export const replicationConfig = replicationConcern.provider;
export type ReplicationConfig = ConfigType<typeof replicationConfig>;
