import { Logger } from '@nestjs/common';
import { Migrator } from '../../src/database/migrator.js';
import { TestCore } from './core.js';
import type { TestService } from './processes.js';

/** Events of the database for load: one writer each, since registrations for one event take turns. */
const EVENTS = 6;
const USERS = 20_000;

/**
 * Makes a database whose events have room for any number of registrations.
 *
 * @param ballastRows - rows of 32 random characters beside them, for tests that need a file of some size
 */
export async function makeLoadDatabase(folder: string, ballastRows = 0): Promise<void> {
  Logger.overrideLogger(false);
  const core = new TestCore(folder);
  await core.open();
  await new Migrator(core.database, core.clock, undefined).migrate();
  await core.write(
    `INSERT INTO users SELECT range, 'user ' || range, 'guest', '-', 'Taipei', '', 'diamond', DATE '2024-01-01',
       range || '@load.example', '-' FROM range(1, ${USERS + 1})`,
    "INSERT INTO venues VALUES (1, 'The Field', '-', 'Taipei', 1000000)",
    `INSERT INTO events SELECT range, 'event ' || range, '', 'arts', 1, 1, now() + INTERVAL 30 DAY,
       now() + INTERVAL 31 DAY, now() + INTERVAL 29 DAY, 'published', '-', 0, 1000000, 0 FROM range(1, ${EVENTS + 1})`,
    `CREATE TABLE ballast AS SELECT md5(random()::VARCHAR) AS text FROM range(${ballastRows})`,
  );
  await core.close();
}

/** Registrations over HTTP, as fast as they go, until the service refuses them or goes away. */
export class RegistrationLoad {
  /** What was answered with 201. */
  readonly acknowledged: { readonly eventId: number; readonly userId: number }[] = [];
  /** Codes of the answers that ended a writer. */
  readonly refusals: string[] = [];
  readonly #milestones = new Map<number, () => void>();
  /** Resolves when every writer has ended. */
  readonly ended: Promise<unknown>;

  /** @param first - the first user; runs on one database begin with different ones */
  constructor(
    private readonly service: TestService,
    first = 1,
  ) {
    this.ended = Promise.all(Array.from({ length: EVENTS }, (_, index) => this.#write(index + 1, first)));
  }

  /** Resolves when so many registrations were acknowledged. */
  async reaches(count: number): Promise<void> {
    if (this.acknowledged.length >= count) return;
    await Promise.race([
      new Promise<void>((resolve) => this.#milestones.set(count, resolve)),
      this.ended.then(() => Promise.reject(new Error(`the load ended early: ${this.refusals.join(', ')}`))),
    ]);
  }

  async #write(eventId: number, first: number): Promise<void> {
    for (let userId = first; ; userId++) {
      const refusal = await register(this.service, eventId, userId);
      if (refusal !== undefined) {
        this.refusals.push(refusal);
        return;
      }
      this.acknowledged.push({ eventId, userId });
      this.#milestones.get(this.acknowledged.length)?.();
    }
  }
}

/** Those of the registrations that a service does not hold: registering again must be refused as a repetition. */
export async function missingFrom(
  service: TestService,
  registrations: readonly { readonly eventId: number; readonly userId: number }[],
): Promise<string[]> {
  const missing: string[] = [];
  const queue = [...registrations];
  const worker = async (): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const { eventId, userId } = next;
      const answer = await register(service, eventId, userId);
      if (answer !== 'ALREADY_REGISTERED') missing.push(`user ${userId} at event ${eventId}: ${answer ?? 'was free'}`);
    }
  };
  await Promise.all(Array.from({ length: EVENTS }, worker));
  return missing;
}

/** Undefined when the registration was acknowledged, else the code of the answer, or `gone` where there was none. */
async function register(service: TestService, eventId: number, userId: number): Promise<string | undefined> {
  try {
    const response = await service.fetch(`/events/${eventId}/registrations`, { json: { userId } });
    const body = (await response.json()) as { code?: string };
    return response.status === 201 ? undefined : (body.code ?? String(response.status));
  } catch {
    return 'gone';
  }
}
