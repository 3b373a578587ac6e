import { rm } from 'node:fs/promises';
import { type TestProcess, TestService } from './processes.js';
import { S3Double, type S3DoubleOptions } from './s3/s3-double.js';
import { temporaryFolder } from './core.js';
import { filesOf } from '../../src/database/database-files.js';
import { join } from 'node:path';

/** What one test of processes uses, and what has to be cleared up after it, whatever happened. */
export class Stage {
  readonly #processes: TestProcess[] = [];
  readonly #doubles: S3Double[] = [];

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
    this.#doubles.push(double);
    return double;
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
    for (const double of this.#doubles) await double.stop();
    await this.folder.remove();
  }
}
