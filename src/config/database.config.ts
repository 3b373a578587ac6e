import type { ConfigType } from '@nestjs/config';
import { concern } from './concern.js';
import { nodeEnv } from './environment.js';
import { flag, text, whole } from './variable.js';

/** The DuckDB file and how it is used. */
export const databaseConcern = concern(
  'database',
  'The DuckDB file and how it is used.',
  {
    NODE_ENV: nodeEnv,
    DUCKDB_PATH: text('./data/hesocial.duckdb', /^[^\0]+$/, 'a path', { about: 'The database file.' }),
    DUCKDB_POOL_SIZE: whole(8, [1, 256], { about: 'Connections that may be in use at once.' }),
    DUCKDB_QUERY_TIMEOUT_MS: whole(30_000, [0, 86_400_000], {
      about: 'How long a query may take before it is cancelled; 0 sets no bound.',
      unit: 'ms',
    }),
    DUCKDB_MEMORY_LIMIT: text(undefined, /^\d+(\.\d+)? ?([KMGT]i?B|%)$/i, 'a size such as 512MB, or a percentage', {
      about: "DuckDB's own memory limit.",
      default: "DuckDB's default (80 % of the memory)",
      example: '2GB',
    }),
    DUCKDB_THREADS: whole(undefined, [1, 1024], { about: "DuckDB's threads.", default: 'one per core', example: '4' }),
    WRITE_DRAIN_TIMEOUT_MS: whole(10_000, [100, 600_000], {
      about: 'How long a restore or a stop waits for writes in flight before it cancels them.',
      unit: 'ms',
    }),
    CHECKPOINT_WAL_MIB: whole(64, [1, 65_536], {
      about: 'Size of the write-ahead log from which a checkpoint is made between backups.',
      unit: 'MiB',
    }),
    SEED_DATABASE: flag(undefined, {
      about: 'Loads the sample data (8 users, 6 events) once into an empty database.',
      default: 'true outside production',
      example: 'true',
    }),
  },
  (env) => ({
    path: env.DUCKDB_PATH,
    poolSize: env.DUCKDB_POOL_SIZE,
    queryTimeoutMs: env.DUCKDB_QUERY_TIMEOUT_MS,
    memoryLimit: env.DUCKDB_MEMORY_LIMIT,
    threads: env.DUCKDB_THREADS,
    writeDrainTimeoutMs: env.WRITE_DRAIN_TIMEOUT_MS,
    checkpointWalBytes: env.CHECKPOINT_WAL_MIB * 1024 * 1024,
    seed: env.SEED_DATABASE ?? env.NODE_ENV !== 'production',
  }),
);

export const databaseConfig = databaseConcern.provider;
export type DatabaseConfig = ConfigType<typeof databaseConfig>;
