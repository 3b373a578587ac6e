import { createHash } from 'node:crypto';

/** One key per role; the key itself is what is sent. */
export const KEYS = { viewer: 'key-of-a-viewer', operator: 'key-of-an-operator', admin: 'key-of-an-admin' } as const;

export const ADMIN_API_KEYS = Object.entries(KEYS)
  .map(([role, key]) => `${role}-key:${role}:${createHash('sha256').update(key).digest('hex')}`)
  .join(',');
