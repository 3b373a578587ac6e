import { rm } from 'node:fs/promises';
import { bucketOf, type TestProcess, TestService } from './processes.js';
import { S3Double, type S3DoubleOptions } from './s3/s3-double.js';
import { temporaryFolder } from './core.js';
import { filesOf } from '../../src/database/database-files.js';
import { FilesystemObjectStore } from '../../src/object-store/filesystem/filesystem-object-store.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { S3ObjectStore } from '../../src/object-store/s3/s3-object-store.js';
import { openBucket } from '../integration/object-store/bucket.js';
import type { Adapter } from './adapters.js';
import { ownBucket, realBucketConfig } from './real-bucket.js';
import { join } from 'node:path';

/** A repository of processes, and how the test itself comes to it. */
export interface SharedStore {
  /** The variables that point a service at it. */
  readonly env: Readonly<Record<string, string>>;
  /** A connection of the test's own. */
  readonly store: ObjectStore;
}

/** What one test of processes uses, and what has to be cleared up after it, whatever happened. */
export class Stage {
  readonly #processes: TestProcess[] = [];
  readonly #servers: { stop(): Promise<void> }[] = [];

  private constructor(private readonly folder: { readonly path: string; readonly remove: () => Promise<void> }) {}

  static async set(): Promise<Stage> {
    return new Stage(await temporaryFolder());
  }

  get path(): string {
    return this.folder.path;
  }

  get database(): string {
    return join(this.path, 'hesocial.duckdb');
  }

  async double(options: S3DoubleOptions = {}): Promise<S3Double> {
    const double = await S3Double.start(options);
    this.#servers.push(double);
    return double;
  }

  /** An empty repository. The processes speak to a real server themselves: a kill cuts their requests off. */
  async share(adapter: Adapter, folder = this.path): Promise<SharedStore> {
    if (adapter === 'folder') {
      const repository = join(folder, 'repository');
      const store = new FilesystemObjectStore({ folder: repository, prefix: 'backups/' });
      return { env: { BACKUP_LOCAL_DIR: repository }, store };
    }
    if (adapter === 'bucket') {
      const double = await this.double();
      return { env: bucketOf(double), store: openBucket(double) };
    }
    const bucket = await ownBucket();
    this.#servers.push({ stop: () => bucket.remove() });
    return { env: bucketOf(bucket), store: new S3ObjectStore(realBucketConfig(bucket)) };
  }

  /** Sees to it that a process does not outlive the test. */
  run<T extends TestProcess>(process: T): T {
    this.#processes.push(process);
    return process;
  }

  /** A service that serves. */
  async serve(env: Readonly<Record<string, string>>): Promise<TestService> {
    const service = this.run(new TestService(env));
    await service.ready();
    return service;
  }

  /** Loses the disk of the database; a repository in a folder stays. */
  async wipe(): Promise<void> {
    for (const file of filesOf(this.database)) await rm(file, { force: true });
  }

  async clear(): Promise<void> {
    for (const process of this.#processes) await process.kill();
    for (const server of this.#servers) await server.stop();
    await this.folder.remove();
  }
}
