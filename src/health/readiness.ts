import { Injectable } from '@nestjs/common';
import { BackupService } from '../backup/backup.service.js';
import { DatabaseService } from '../database/database.service.js';
import { ReplicationService } from '../replication/replication.service.js';
import { freeBytesBeside, hasRoomToFold } from '../database/disk-room.js';
import { RequestGate } from '../http/request-gate.js';
import type { Finding, HealthReport } from './health-report.js';

/** Answers an orchestrator at once: no query, no request to the store. */
@Injectable()
export class Readiness {
  constructor(
    private readonly gate: RequestGate,
    private readonly database: DatabaseService,
    private readonly backups: BackupService,
    private readonly replication: ReplicationService,
  ) {}

  /** Down only where a restart would help: DuckDB gave up. */
  alive(): HealthReport {
    const { fatal } = this.database;
    return { findings: fatal === undefined ? [] : [down(`DuckDB has given up: ${fatal.message}`)], facts: {} };
  }

  /** Down while requests should go to another instance, or none can be served. */
  ready(): HealthReport {
    const findings: Finding[] = [...this.alive().findings];
    if (this.gate.shuttingDown) findings.push(down('the service is shutting down'));
    else if (!this.database.isOpen) findings.push(down('the database is not open'));
    else if (this.#diskIsFull()) findings.push(down('the disk is nearly full: make room before writes fail'));
    const { replacedBy } = this.backups.status;
    if (this.replication.state === 'fenced')
      findings.push(down('another process has taken over; this one refuses writes'));
    if (replacedBy !== null) findings.push(down(`another process wrote ${replacedBy}; this one refuses writes`));
    return { findings, facts: {} };
  }

  #diskIsFull(): boolean {
    return !hasRoomToFold(freeBytesBeside(this.database.path), this.database.files.wal()?.size ?? 0);
  }
}

function down(what: string): Finding {
  return { state: 'down', what };
}
