import type { BackupStatus } from '../backup/backup-request.js';
import type { ReplicationStatus } from '../replication/replication-status.js';
import type { Proof } from '../restore/proof-record.js';
import type { Finding } from './health-report.js';
import type { StoreFinding } from './store-probe.js';

/** What a look at backups and their store shows. */
export interface RepositoryFacts extends BackupStatus {
  /** For people, without secrets. */
  readonly store: string;
  /** Null while backups are turned off: the store is then left alone. */
  readonly probe: StoreFinding | null;
  readonly conditionalWrites: 'yes' | 'no' | 'unknown';
  /** Seconds; null where there is no backup yet. */
  readonly lastBackupAgeSeconds: number | null;
  /** 0 where none are taken on an interval. */
  readonly intervalSeconds: number;
  /** Null where none are taken on an interval. */
  readonly nextBackupAt: string | null;
  /** Id of the key under which backups are stored; null where they are not encrypted. */
  readonly encryptionKeyId: string | null;
  /** What would be lost with the disk now; null while that is not known. */
  readonly notBackedUp: NotBackedUp | null;
  /** Why nothing is shipped although the store answers; null where that is not so. */
  readonly conflict: string | null;
  /** How commits are shipped between backups. */
  readonly replication: ReplicationFacts;
  /** Objects that retention may not delete. */
  readonly deletesDenied: number;
  /** Why retention removes nothing; null where it works. */
  readonly retentionError: string | null;
  /** The last restore on trial; null before the first. */
  readonly lastProof: Pick<Proof, 'backup' | 'at' | 'ok' | 'why'> | null;
  /** Seconds; null before the first. */
  readonly lastProofAgeSeconds: number | null;
  /** 0 where none are made. */
  readonly proofIntervalSeconds: number;
  /** Why the last restore on trial could not be made, which tells nothing of the backup; null where it could. */
  readonly proofError: string | null;
}

export interface ReplicationFacts extends ReplicationStatus {
  /** How long the oldest commit that is not in the store waits, ms. */
  readonly lagMs: number;
  readonly syncIntervalMs: number;
}

export interface NotBackedUp {
  /** Whether anything was committed since the last backup. */
  readonly changes: boolean;
  /** Commits and bytes of the write-ahead log since the last checkpoint; some of them may be in a backup. */
  readonly commitsInWal: number;
  readonly walBytes: number;
}

/** Shipping is late when a commit waits for this many intervals, and longer than a request may well take, ms. */
const LATE_SYNCS = 3;
const LATE_SYNC_MS = 10_000;

/** A backup is late when it is older than this many intervals. */
const LATE_INTERVALS = 2;

/** What is wrong with backups. Pure. */
export function assessRepository(facts: RepositoryFacts): Finding[] {
  if (!facts.enabled) {
    return [{ state: 'degraded', what: 'BACKUP_ENABLED=false: nothing is backed up, nothing is protected' }];
  }
  const findings: Finding[] = [];
  const add = (state: Finding['state'], what: string): void => void findings.push({ state, what });
  const { probe } = facts;
  if (probe !== null && !probe.writable) {
    add(
      'down',
      `the store cannot be written to (${probe.code ?? ''}: ${probe.error ?? ''}); local data is safe and in use`,
    );
  }
  if (facts.replacedBy !== null) {
    add('down', `another process wrote ${facts.replacedBy}: this one refuses writes; keep one process running`);
  }
  if (facts.conflict !== null) add('down', `nothing is shipped: ${facts.conflict}`);
  if (facts.replication.state === 'fenced') {
    add('down', 'another process has taken over this database: this one refuses writes; keep one process running');
  } else if (facts.replication.state === 'disconnected' && facts.replication.lastError !== null) {
    add('degraded', `commits are not shipped: ${facts.replication.lastError.message}`);
  } else if (isShippingLate(facts.replication)) {
    const { lagMs, lastError, waitingBytes } = facts.replication;
    const why = lastError === null ? '' : ` (${lastError.code})`;
    add('degraded', `${waitingBytes} bytes of commits wait to be shipped for ${Math.round(lagMs / 1000)} s${why}`);
  }
  if (facts.lastError?.code === 'ENCRYPTION_KEY_MISSING') {
    add('down', `nothing is backed up: ${facts.lastError.message}`);
  } else if (facts.failures > 0) {
    add('degraded', `${facts.failures} backups in a row failed, the last with ${facts.lastError?.code ?? 'an error'}`);
  }
  if (isLate(facts))
    add('degraded', `the newest backup is older than ${LATE_INTERVALS} intervals and there are changes`);
  if (facts.conditionalWrites === 'no') {
    add('degraded', 'the store has no conditional writes: make sure yourself that only one process writes');
  }
  if (facts.lastProof?.ok === false) {
    const { backup, why } = facts.lastProof;
    add('degraded', `${backup} cannot be restored (${why ?? ''}); the next backup is a full one`);
  }
  if (isProofLate(facts)) {
    add(
      'degraded',
      `no backup was proven by a restore for ${LATE_INTERVALS} intervals: ${facts.proofError ?? 'none was tried'}`,
    );
  }
  if (facts.retentionError !== null) add('degraded', `retention removes nothing: ${facts.retentionError}`);
  if (facts.deletesDenied > 0) add('degraded', `retention may not delete ${facts.deletesDenied} objects`);
  return findings;
}

function isShippingLate({ lagMs, syncIntervalMs, state }: ReplicationFacts): boolean {
  return state !== 'off' && lagMs > Math.max(LATE_SYNC_MS, LATE_SYNCS * syncIntervalMs);
}

function isProofLate({ lastProofAgeSeconds, proofIntervalSeconds }: RepositoryFacts): boolean {
  if (proofIntervalSeconds === 0 || lastProofAgeSeconds === null) return false;
  return lastProofAgeSeconds > LATE_INTERVALS * proofIntervalSeconds;
}

function isLate({ notBackedUp, intervalSeconds, lastBackupAgeSeconds }: RepositoryFacts): boolean {
  if (notBackedUp?.changes !== true || intervalSeconds === 0) return false;
  return lastBackupAgeSeconds !== null && lastBackupAgeSeconds > LATE_INTERVALS * intervalSeconds;
}
