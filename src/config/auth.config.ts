import type { ConfigType } from '@nestjs/config';
import { concern } from './concern.js';
import { nodeEnv } from './environment.js';
import { text, whole } from './variable.js';

/** Roles, least first. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** A key as it is configured: only its hash is known to the service. */
export interface ApiKeyEntry {
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the key, 32 bytes. */
  readonly hash: Buffer;
}

const ENTRY = /^([A-Za-z0-9._-]{1,64}):(viewer|operator|admin):([0-9a-fA-F]{64})$/;

/** Who may use the admin API. */
export const authConcern = concern(
  'auth',
  'Who may use the admin API.',
  {
    NODE_ENV: nodeEnv,
    ADMIN_API_KEYS: text(undefined, /^[^\0]+$/, 'name:role:sha256hex, comma-separated', {
      about: 'Keys of the admin API; the roles are viewer, operator and admin.',
      default: 'in production none, and the admin API stays shut; else one is generated and printed once',
      secret: true,
      example: `ops:operator:${'0'.repeat(64)}`,
    }),
    ADMIN_RATE_LIMIT_PER_MINUTE: whole(120, [1, 100_000], {
      about: 'Requests to /api/admin from one address.',
      unit: 'requests per minute',
    }),
  },
  (env, refuse) => {
    const keys: ApiKeyEntry[] = [];
    for (const [index, item] of (env.ADMIN_API_KEYS?.split(',') ?? []).entries()) {
      const match = ENTRY.exec(item.trim());
      if (match === null) {
        refuse(
          'ADMIN_API_KEYS',
          `entry ${index + 1} must be name:role:sha256hex with the role viewer, operator or admin`,
        );
        continue;
      }
      keys.push({ name: match[1] ?? '', role: match[2] as Role, hash: Buffer.from(match[3] ?? '', 'hex') });
    }
    return {
      keys,
      generateKey: keys.length === 0 && env.NODE_ENV !== 'production',
      rateLimitPerMinute: env.ADMIN_RATE_LIMIT_PER_MINUTE,
    };
  },
);

export const authConfig = authConcern.provider;
export type AuthConfig = ConfigType<typeof authConfig>;
