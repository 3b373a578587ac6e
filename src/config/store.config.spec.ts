import { describe, expect, it } from '@jest/globals';
import { InvalidVariables } from './concern.js';
import { storeConcern } from './store.config.js';

const BUCKET = {
  R2_SYNC_ENABLED: 'true',
  R2_ACCOUNT_ID: 'acc1',
  R2_ACCESS_KEY_ID: 'AKID',
  R2_SECRET_ACCESS_KEY: 'key',
};

describe('the store', () => {
  it('is a folder by default, with the prefix of the older system', () => {
    expect(storeConcern.parse({})).toEqual({ kind: 'folder', folder: './data/repository', prefix: 'backups/' });
  });

  it('stays a folder while R2_SYNC_ENABLED is false, whatever else is set', () => {
    expect(storeConcern.parse({ ...BUCKET, R2_SYNC_ENABLED: 'false', BACKUP_LOCAL_DIR: '/backups' })).toEqual({
      kind: 'folder',
      folder: '/backups',
      prefix: 'backups/',
    });
  });

  it('is a bucket of R2 when it is enabled, with credentials', () => {
    expect(storeConcern.parse(BUCKET)).toMatchObject({
      kind: 'bucket',
      endpoint: 'https://acc1.r2.cloudflarestorage.com',
      region: 'auto',
      accessKeyId: 'AKID',
      secretAccessKey: 'key',
    });
  });

  it.each(['R2_ACCESS_KEY_ID', 'R2_SECRET_ACCESS_KEY', 'R2_ACCOUNT_ID'])(
    'is refused as a bucket without %s',
    (name) => {
      const attempt = () => storeConcern.parse({ ...BUCKET, [name]: undefined });
      expect(attempt).toThrow(InvalidVariables);
      expect(attempt).toThrow(new RegExp(`^${name}: is needed when R2_SYNC_ENABLED is true`));
    },
  );

  it.each([
    ['default', 'https://acc1.r2.cloudflarestorage.com'],
    ['eu', 'https://acc1.eu.r2.cloudflarestorage.com'],
    ['fedramp', 'https://acc1.fedramp.r2.cloudflarestorage.com'],
    ['us', 'https://acc1.us.r2.cloudflarestorage.com'],
  ])('of the jurisdiction %s is at %s', (R2_JURISDICTION, endpoint) => {
    expect(storeConcern.parse({ ...BUCKET, R2_JURISDICTION })).toMatchObject({ endpoint });
  });

  it('is at R2_ENDPOINT where that is set, with or without an account', () => {
    const endpoint = 'http://localhost:9000';
    expect(storeConcern.parse({ ...BUCKET, R2_ENDPOINT: endpoint })).toMatchObject({ endpoint });
    expect(storeConcern.parse({ ...BUCKET, R2_ENDPOINT: endpoint, R2_ACCOUNT_ID: '' })).toMatchObject({ endpoint });
  });

  it.each([
    [undefined, 'hesocial-duckdb-dev'],
    ['development', 'hesocial-duckdb-dev'],
    ['test', 'hesocial-duckdb-dev'],
    ['staging', 'hesocial-duckdb-dev'],
    ['production', 'hesocial-duckdb'],
  ])('of the environment %s is the bucket %s, unless one is named', (NODE_ENV, bucket) => {
    expect(storeConcern.parse({ ...BUCKET, NODE_ENV })).toMatchObject({ bucket });
    expect(storeConcern.parse({ ...BUCKET, NODE_ENV, R2_BUCKET_NAME: 'another' })).toMatchObject({ bucket: 'another' });
  });
});
