import { Inject, Injectable, type OnApplicationBootstrap, Optional } from '@nestjs/common';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type ApiKeyEntry, authConfig, type AuthConfig } from '../config/auth.config.js';
import { includesRole, type Principal } from './principal.js';

/** Where a generated key is shown; tests put their own in its place. */
export const KEY_ANNOUNCER = Symbol('KEY_ANNOUNCER');
export type KeyAnnouncer = (text: string) => void;

/** Longer ones are not looked at: hashing them would be work for nothing. */
const LONGEST_KEY = 512;

/** The keys of the admin API. Only their SHA-256 is kept. */
@Injectable()
export class ApiKeys implements OnApplicationBootstrap {
  readonly #entries: readonly ApiKeyEntry[];
  #generated: string | undefined;

  constructor(
    @Inject(authConfig.KEY) config: AuthConfig,
    @Optional()
    @Inject(KEY_ANNOUNCER)
    private readonly announce: KeyAnnouncer = (text) => process.stdout.write(text),
  ) {
    if (config.generateKey) this.#generated = `eider_${randomBytes(32).toString('base64url')}`;
    this.#entries =
      this.#generated === undefined
        ? config.keys
        : [{ name: 'generated', role: 'admin', hash: sha256(this.#generated) }];
  }

  /** False in production without ADMIN_API_KEYS: the admin API stays shut. */
  get available(): boolean {
    return this.#entries.length > 0;
  }

  /** Shows a generated key, once and on the console only: loggers may send their lines anywhere. */
  onApplicationBootstrap(): void {
    if (this.#generated === undefined) return;
    const key = this.#generated;
    this.#generated = undefined;
    this.announce(
      [
        '',
        '  ADMIN_API_KEYS is not set: a key was generated for this run. It is shown only once.',
        '',
        `    Authorization: Bearer ${key}`,
        '',
        '',
      ].join('\n'),
    );
  }

  /**
   * The owner of a key. Compares against all entries, each in constant time, so that the answer's time does not tell
   * how much of a key is right or where it stands.
   */
  identify(key: string): Principal | undefined {
    const hash = sha256(key);
    let found: ApiKeyEntry | undefined;
    for (const entry of this.#entries) {
      if (timingSafeEqual(entry.hash, hash)) found ??= entry;
    }
    return found === undefined ? undefined : { name: found.name, role: found.role };
  }

  /** Who sent the request, by its `Authorization: Bearer`; undefined without a valid key. */
  authenticate(request: Pick<IncomingMessage, 'headers'>): Principal | undefined {
    const [, key] = /^bearer +([^\s]+) *$/i.exec(request.headers.authorization ?? '') ?? [];
    return key === undefined || key.length > LONGEST_KEY ? undefined : this.identify(key);
  }

  /** For routes that are open and tell more to a viewer, as health does: who asks, if a viewer does. */
  optionalViewer(request: Pick<IncomingMessage, 'headers'>): Principal | undefined {
    const principal = this.authenticate(request);
    return principal !== undefined && includesRole(principal.role, 'viewer') ? principal : undefined;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
