import { afterAll } from '@jest/globals';
import { join } from 'node:path';
import { BlockPool } from '../../src/block-pool/block-pool.js';
import { FilesystemObjectStore } from '../../src/object-store/filesystem/filesystem-object-store.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import type { Manifest } from '../../src/repository/manifest.js';
import { configOf, openBucket, pacingOf } from '../integration/object-store/bucket.js';
import { type Adapter, serverOf } from './adapters.js';
import { type CoreParts, temporaryFolder, TestClock, TestCore } from './core.js';
import type { Query } from './concurrent-writers.js';
import { DatedBucket } from './dated-bucket.js';
import { DatedFolder } from './dated-folder.js';
import { S3Double } from './s3/s3-double.js';
import type { S3Server } from './s3/s3-server.js';

export { type Adapter, ADAPTERS, BUCKET } from './adapters.js';

export interface SiteOptions {
  /** Objects are of the time that the site's clock shows, rather than of the server's. */
  readonly dated?: boolean;
  /**
   * The suite compares what it restored itself: no process is started to open a restored file first, which costs more than
   * most restores of a test. every-kind.spec.ts and many others leave it to that process.
   */
  readonly compares?: boolean;
}

/** Threads of all sites of a test file, one after the other: they cost more to start than most tests give them to do. */
const pool = new BlockPool();
afterAll(() => pool.close());

/** One repository and the machines that work with it: each has a disk of its own and its own connection to the store. */
export class Site {
  readonly clock = new TestClock();
  readonly #cores: TestCore[] = [];
  /** When objects were written, for a server that dates them by its own clock. */
  readonly #written = new Map<string, Date>();

  private constructor(
    readonly path: string,
    private readonly removeFolder: () => Promise<void>,
    private readonly behind: S3Server | undefined,
    private readonly options: SiteOptions,
  ) {
    if (options.dated === true && behind instanceof S3Double) behind.dates = this.clock;
  }

  static async open(adapter: Adapter, options: SiteOptions = {}): Promise<Site> {
    const { path, remove } = await temporaryFolder();
    return new Site(path, remove, await serverOf(adapter), options);
  }

  /** The server behind the bucket: the double, or the way to a real one. */
  get server(): S3Server {
    if (this.behind === undefined) throw new Error('this site has a folder');
    return this.behind;
  }

  /** The double behind the bucket, for what no other server can do. */
  get s3(): S3Double {
    if (!(this.behind instanceof S3Double)) throw new Error('this site has no double');
    return this.behind;
  }

  /** A new connection to the repository, under a prefix of its own where one is named. */
  store(prefix = 'backups/'): ObjectStore {
    const server = this.behind;
    if (server !== undefined) {
      if (this.options.dated !== true || server instanceof S3Double) return openBucket(server, { prefix });
      const dates = { clock: this.clock, written: this.#written };
      return new DatedBucket(configOf(server, { prefix }), pacingOf(server), dates);
    }
    const config = { folder: join(this.path, 'repository'), prefix };
    return this.options.dated === true ? new DatedFolder(config, this.clock) : new FilesystemObjectStore(config);
  }

  /** The core on a machine: started again on the same disk where the name was used before. */
  core(
    machine = 'first',
    env: Record<string, string> = {},
    parts: Omit<CoreParts, 'pool'> & { readonly store?: ObjectStore; readonly clock?: TestClock } = {},
  ): TestCore {
    const variables = this.options.compares === true ? { R2_VALIDATE_DOWNLOADS: 'false', ...env } : env;
    const store = parts.store ?? this.store();
    const core = new TestCore(join(this.path, machine), store, variables, parts.clock ?? this.clock, {
      ...parts,
      pool,
    });
    this.#cores.push(core);
    return core;
  }

  /**
   * A core whose database holds one table `guests` with a row for each number below `rows`.
   *
   * @param decides - false opens the database without a look at the repository
   */
  async populated(machine = 'first', rows = 3, env: Record<string, string> = {}, decides = true): Promise<TestCore> {
    const core = this.core(machine, env);
    if (decides) await core.boot();
    else await core.open();
    await core.write('CREATE TABLE guests (id INTEGER)', `INSERT INTO guests SELECT range FROM range(${rows})`);
    return core;
  }

  /** The keys of all objects, without the prefix. */
  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store().list('')) keys.push(key);
    return keys;
  }

  /** Flips a bit in the middle of a backup's first pack, in a bucket. */
  async damage({ packs }: Manifest): Promise<void> {
    const key = packs[0]?.key ?? '';
    const bytes = await this.store().read(key);
    bytes[Math.floor(bytes.length / 2)]! ^= 1;
    this.server.advance(2_000);
    await this.store().put(key, bytes);
  }

  /** What a machine that has only the repository gets of a backup, in the words of `contentOf`. */
  async restored(backup: Manifest, machine: string): Promise<string[]> {
    const other = this.core(machine);
    await other.offline.toFile(await other.restores.find({ backup: backup.name }), other.database.path);
    await other.open();
    const content = await contentOf(other);
    await other.close();
    return content;
  }

  async remove(): Promise<void> {
    for (const core of this.#cores) await core.close().catch(() => {});
    await this.behind?.stop();
    await this.removeFolder();
  }
}

/** Takes a backup, which there must be. */
export async function backUp(
  core: TestCore,
  request: Partial<Parameters<TestCore['backups']['create']>[0]> = {},
): Promise<Manifest> {
  const outcome = await core.backups.create({ trigger: 'interval', ...request });
  if (!outcome.created) throw new Error('no backup was taken');
  return outcome.manifest;
}

/** What a database holds: each table's rows and the sum of their hashes. */
export async function contentOf(core: TestCore): Promise<string[]> {
  return core.database.read((session) => contentBy((sql) => session.all(sql)));
}

/** What the database behind a query holds, in the words of `contentOf`. */
export async function contentBy(query: Query): Promise<string[]> {
  const tables = await query<{ name: string }>(
    'SELECT table_name AS name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY 1',
  );
  const content: string[] = [];
  for (const { name } of tables) {
    const [row] = await query<{ v: string }>(
      `SELECT count(*)::VARCHAR || ':' || coalesce(sum(hash(t)), 0)::VARCHAR AS v FROM "${name}" AS t`,
    );
    content.push(`${name} ${row?.v}`);
  }
  return content;
}
