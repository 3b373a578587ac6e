import type { ConfigType } from '@nestjs/config';
import { concern } from './concern.js';
import { nodeEnv } from './environment.js';
import { choice, flag, text, whole } from './variable.js';

/** Where backups are kept: a bucket or a folder. */
export const storeConcern = concern(
  'store',
  'Where backups are kept: a bucket or a folder.',
  {
    NODE_ENV: nodeEnv,
    R2_SYNC_ENABLED: flag(false, {
      about: 'Keeps backups in the bucket; false keeps them in the folder BACKUP_LOCAL_DIR, in the same format.',
    }),
    BACKUP_LOCAL_DIR: text('./data/repository', /^[^\0]+$/, 'a path', {
      about: 'The folder that holds the repository when no bucket is used.',
    }),
    R2_ACCOUNT_ID: text(undefined, /^[A-Za-z0-9-]+$/, 'a Cloudflare account id', {
      about: 'The Cloudflare account; the endpoint is built from it.',
      example: 'your-cloudflare-account-id',
    }),
    R2_JURISDICTION: choice('default', ['default', 'eu', 'fedramp', 'us'], {
      about: 'The jurisdiction of the R2 bucket; part of the endpoint.',
    }),
    R2_ENDPOINT: text(
      undefined,
      /^https?:\/\/[^\s/?#@]+\/?$/,
      'an http or https address without a path or a password',
      {
        about: 'The S3 endpoint, for any store but R2.',
        default: 'built from R2_ACCOUNT_ID',
        example: 'https://your-account-id.r2.cloudflarestorage.com',
      },
    ),
    R2_REGION: text('auto', /^[a-z0-9-]+$/, 'a region name', { about: 'The region that requests are signed for.' }),
    R2_ACCESS_KEY_ID: text(undefined, /^\S+$/, 'an access key id', {
      about: 'The access key.',
      secret: true,
      example: 'your-r2-access-key-id',
    }),
    R2_SECRET_ACCESS_KEY: text(undefined, /^\S+$/, 'a secret key', {
      about: 'Its secret.',
      secret: true,
      example: 'your-r2-secret-access-key',
    }),
    R2_BUCKET_NAME: text(
      undefined,
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'a bucket name (3 to 63 of a-z, 0-9, dot, hyphen)',
      {
        about: 'The bucket.',
        default: 'hesocial-duckdb in production, else hesocial-duckdb-dev',
        example: 'hesocial-duckdb',
      },
    ),
    R2_BACKUP_PATH: text(
      'backups/',
      /^(?!\/)(?!.*\/\/)(?!(.*\/)?\.{1,2}\/)([^\0]*\/)?$/,
      'a prefix that ends in a slash and has no . or .. in it',
      {
        about: 'The prefix of every key, in the bucket or the folder.',
      },
    ),
    R2_MAX_CONCURRENCY: whole(32, [1, 64], {
      about: 'Requests to the bucket at once; fewer while it asks to slow down.',
    }),
    R2_MAX_ATTEMPTS: whole(6, [1, 20], { about: 'How often a request is tried before it counts as failed.' }),
    R2_REQUEST_TIMEOUT_MS: whole(60_000, [100, 3_600_000], { about: 'How long one request may take.', unit: 'ms' }),
  },
  (env, refuse) => {
    const prefix = env.R2_BACKUP_PATH;
    if (!env.R2_SYNC_ENABLED) return { kind: 'folder' as const, folder: env.BACKUP_LOCAL_DIR, prefix };
    const required = (variable: 'R2_ACCESS_KEY_ID' | 'R2_SECRET_ACCESS_KEY'): string => {
      const value = env[variable];
      if (value === undefined) refuse(variable, 'is needed when R2_SYNC_ENABLED is true');
      return value ?? '';
    };
    if (env.R2_ENDPOINT === undefined && env.R2_ACCOUNT_ID === undefined) {
      refuse('R2_ACCOUNT_ID', 'is needed when R2_SYNC_ENABLED is true and R2_ENDPOINT is unset', ['R2_ENDPOINT']);
    }
    const jurisdiction = env.R2_JURISDICTION === 'default' ? '' : `${env.R2_JURISDICTION}.`;
    return {
      kind: 'bucket' as const,
      endpoint: env.R2_ENDPOINT ?? `https://${env.R2_ACCOUNT_ID ?? ''}.${jurisdiction}r2.cloudflarestorage.com`,
      region: env.R2_REGION,
      accessKeyId: required('R2_ACCESS_KEY_ID'),
      secretAccessKey: required('R2_SECRET_ACCESS_KEY'),
      bucket: env.R2_BUCKET_NAME ?? (env.NODE_ENV === 'production' ? 'hesocial-duckdb' : 'hesocial-duckdb-dev'),
      prefix,
      maxConcurrency: env.R2_MAX_CONCURRENCY,
      maxAttempts: env.R2_MAX_ATTEMPTS,
      requestTimeoutMs: env.R2_REQUEST_TIMEOUT_MS,
    };
  },
);

export const storeConfig = storeConcern.provider;
export type StoreConfig = ConfigType<typeof storeConfig>;
export type BucketConfig = Extract<StoreConfig, { kind: 'bucket' }>;
export type FolderConfig = Extract<StoreConfig, { kind: 'folder' }>;
