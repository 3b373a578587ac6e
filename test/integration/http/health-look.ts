import { KEYS } from '../../support/admin-keys.js';
import type { TestService } from '../../support/service.js';

/** Addresses of health. */
type Part = 'database' | 'r2-sync' | 'full' | 'live' | 'ready';

/** A report as a test reads it. */
interface Health {
  readonly status: string;
  readonly info: Record<string, unknown>;
  readonly error: Record<string, unknown>;
  readonly details: Record<string, Record<string, unknown>>;
}

/** Asks for health, with a key where one is given. */
export const look = (service: TestService, part: Part, key?: string) =>
  service.send<Health>(`/health/${part}`, key === undefined ? {} : { key });
/** Asks for health with its details. */
export const asViewer = (service: TestService, part: Part) => look(service, part, KEYS.viewer);
