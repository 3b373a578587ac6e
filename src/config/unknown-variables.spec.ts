import { describe, expect, it } from '@jest/globals';
import { unknownVariables } from './unknown-variables.js';

describe('unknown variables', () => {
  it('are those that look like ours and are none', () => {
    const env = {
      R2_BUCKET: 'x',
      R2_BUCKET_NAME: 'y',
      R2_BACKUP_INTERVAL: '5',
      ENCRYPTION_KEYS: 'one too many',
      PATH: '/bin',
      DUCKDB_PATH: 'a',
      NODE: '',
    };
    expect(unknownVariables(env)).toEqual(['ENCRYPTION_KEYS', 'R2_BACKUP_INTERVAL', 'R2_BUCKET']);
  });
});
