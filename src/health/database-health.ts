import { Injectable } from '@nestjs/common';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseService } from '../database/database.service.js';
import { messageOf } from '../errors/eider-error.js';
import { Clock } from '../runtime/clock.js';
import { assessDatabase, type DatabaseFacts } from './database-assessment.js';
import type { HealthReport } from './health-report.js';

/** How long the trial query may take, ms; waiting for a connection included. */
const TRIAL_MS = 2_000;

/** Looks at the open database: one small query, and the sizes of its files. Costs the store nothing. */
@Injectable()
export class DatabaseHealth {
  constructor(
    private readonly database: DatabaseService,
    private readonly clock: Clock,
  ) {}

  async look(): Promise<HealthReport> {
    const facts = await this.#facts();
    return { findings: assessDatabase(facts), facts: { ...facts } };
  }

  async #facts(): Promise<DatabaseFacts> {
    const { database } = this;
    const fatal = database.fatal?.message ?? null;
    if (!database.isOpen) return { open: false, fatal };
    const trial = await this.#trial();
    const { bavail, bsize } = await statfs(dirname(database.path));
    // It may have been closed for a restore meanwhile; from here on nothing is waited for.
    if (!database.isOpen) return { open: false, fatal };
    const { files, writeGate } = database;
    return {
      open: true,
      fatal: database.fatal?.message ?? null,
      path: database.path,
      ...trial,
      bytes: files.size(),
      walBytes: files.wal()?.size ?? 0,
      commitsInWal: files.commitsInLog(),
      diskFreeBytes: bavail * bsize,
      checkpointObstacle: database.checkpointObstacle ?? null,
      writesPaused: writeGate.reason ?? null,
      writesInFlight: writeGate.inFlight,
    };
  }

  /** Latencies, ms: to a connection from the pool, and of a query that reads from the database file's catalogue. */
  async #trial(): Promise<Pick<DatabaseFacts & { open: true }, 'connectionMs' | 'queryMs' | 'queryError'>> {
    const begun = this.clock.monotonicMs();
    let connected: number | undefined;
    try {
      await this.database.read(
        async (session) => {
          connected = this.clock.monotonicMs();
          await session.first('SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database()');
        },
        { timeoutMs: TRIAL_MS },
      );
      const queryMs = this.clock.monotonicMs() - (connected ?? begun);
      return { connectionMs: round((connected ?? begun) - begun), queryMs: round(queryMs), queryError: null };
    } catch (error) {
      return { connectionMs: null, queryMs: null, queryError: messageOf(error) };
    }
  }
}

/** To a tenth of a ms: most are below one. */
const round = (ms: number): number => Math.round(ms * 10) / 10;
