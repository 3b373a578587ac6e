import { hostname } from 'node:os';
import type { BackupConfig } from '../config/backup.config.js';
import { BLOCK_SIZE, HEADERS_SIZE } from '../duckdb-format/layout.js';
import type { LineageState } from '../lineage/state-file.js';
import type { EncryptionKey } from '../encryption/encryption-key.js';
import { ALGORITHM } from '../encryption/seal.js';
import { FORMAT_VERSION, type Manifest } from '../repository/manifest.js';
import { sealFacts } from '../repository/sealed-facts.js';
import { APPLICATION } from '../runtime/application.js';
import type { BackupRequest } from './backup-request.js';
import type { CapturedImage } from './image-capture.js';

/** Everything that a manifest tells. */
export interface BackupFacts {
  readonly name: string;
  readonly image: CapturedImage;
  readonly request: BackupRequest;
  readonly config: BackupConfig;
  readonly encryption: EncryptionKey | undefined;
  readonly state: LineageState;
  readonly now: Date;
  readonly durations: Manifest['durations'];
}

/** The manifest of a backup. */
export function describeBackup(facts: BackupFacts): Manifest {
  const { name, image, request, config, encryption, state, now } = facts;
  return {
    format: FORMAT_VERSION,
    name,
    kind: image.incremental ? 'incremental' : 'full',
    trigger: request.trigger,
    createdAt: now.toISOString(),
    environment: config.environment,
    position: { lineage: state.lineage, iteration: image.position.iteration, offset: image.position.offset },
    lineageParent: state.lineageParent,
    epoch: state.epoch,
    writer: state.writer,
    log: state.log,
    parent: state.head,
    fork: state.fork,
    database: {
      name: config.stem,
      size: image.size,
      blockSize: BLOCK_SIZE,
      blocks: Math.ceil((image.size - HEADERS_SIZE) / BLOCK_SIZE),
      duckdbVersion: image.duckdbVersion,
      storageVersion: image.header.version,
      identifier: image.header.identifier,
      schemaVersion: image.schemaVersion,
      header: image.headerFrame,
    },
    compression: config.compress ? 'zstd' : 'none',
    encryption: encryption === undefined ? null : { algorithm: ALGORITHM, keyId: encryption.id },
    packs: image.packs,
    extents: image.extents,
    ...sealFacts({ name, tables: [...image.tables], wal: image.wal }, encryption),
    bytes: {
      read: image.size + (image.wal?.length ?? 0),
      added: image.added,
      stored: image.stored,
    },
    durations: facts.durations,
    host: hostname(),
    application: APPLICATION,
    label: request.label ?? null,
    pinned: request.pinned ?? false,
  };
}
