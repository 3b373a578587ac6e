import type { Session } from '../../src/database/session.js';
import type { TestCore } from './core.js';

export const WRITERS = 4;
const ACCOUNTS = 8;

/** How many rows a bulk insert has: from 122,880 on DuckDB writes them into the file before the commit. */
export type BulkSize = (step: number) => number;

/** What a writer did: its own tables are as `state` tells, and everything in `before` had been acknowledged when it began. */
interface Committed {
  readonly state: readonly string[];
  readonly before: readonly number[];
}

/** Runs statements against the database under test, or one that was restored from it. */
export type Query = <T>(sql: string) => Promise<T[]>;

/** Transactions that are refused on purpose, after they wrote into the file. */
class GivenUp extends Error {}

/**
 * Writers at the same time. Each transaction adds one row to a journal, so that the journal of a restored database tells
 * which commits it holds; each writer has tables of its own, which nobody else changes, and all share some accounts.
 */
export class ConcurrentWriters {
  /** By writer, then by number of the commit: 0 is the state before the first. */
  readonly committed: Committed[][] = Array.from({ length: WRITERS }, () => []);
  total = 0;

  constructor(
    private readonly core: TestCore,
    private readonly bulk: BulkSize,
    /** The writer goes on when this resolves; the others do meanwhile. */
    private readonly afterCommit: (total: number) => Promise<unknown>,
  ) {}

  async prepare(): Promise<void> {
    await this.core.write(
      'CREATE TABLE journal (writer INTEGER, seq INTEGER, source INTEGER, target INTEGER, amount INTEGER)',
      'CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)',
      `INSERT INTO accounts SELECT range, 100 FROM range(${ACCOUNTS})`,
    );
    for (let w = 0; w < WRITERS; w++) {
      await this.core.write(
        `CREATE SEQUENCE w${w}_seq`,
        `CREATE TABLE w${w}_items (id BIGINT PRIMARY KEY, label VARCHAR)`,
        `CREATE INDEX w${w}_labels ON w${w}_items (label)`,
        `CREATE TABLE w${w}_bulk (a BIGINT, b UBIGINT)`,
        `CREATE TABLE w${w}_wide (id BIGINT)`,
        `CREATE TABLE w${w}_parents (id BIGINT PRIMARY KEY)`,
        `CREATE TABLE w${w}_children (id BIGINT, parent BIGINT REFERENCES w${w}_parents (id))`,
      );
      this.committed[w] = [{ state: await this.#state(w), before: Array.from({ length: WRITERS }, () => 0) }];
    }
  }

  /** All writers, until each has committed so often. */
  async run(steps: number): Promise<void> {
    await Promise.all(Array.from({ length: WRITERS }, (_, w) => this.#write(w, steps)));
  }

  /** Commits that were acknowledged, by writer. */
  acknowledged(): number[] {
    return this.committed.map((commits) => commits.length - 1);
  }

  async #write(w: number, steps: number): Promise<void> {
    const first = (this.committed[w]?.length ?? 1) - 1;
    for (let step = first + 1; step <= first + steps; step++) {
      const before = this.acknowledged();
      const kind = (step * 5 + w * 3) % KINDS.length;
      if (kind === 0) await this.#giveUp(w, step);
      const source = (step + w) % ACCOUNTS;
      const target = (step * 3 + w + 1) % ACCOUNTS;
      await this.core.database.transaction(
        async (session) => {
          await session.runScript(KINDS[kind]?.(`w${w}`, step, this.bulk(step)) ?? '');
          const amount = kind === 1 ? 3 : 0;
          if (amount > 0) {
            await session.run(`UPDATE accounts SET balance = balance - ${amount} WHERE id = ${source}`);
            await session.run(`UPDATE accounts SET balance = balance + ${amount} WHERE id = ${target}`);
          }
          await session.run(`INSERT INTO journal VALUES (${w}, ${step}, ${source}, ${target}, ${amount})`);
        },
        { retries: 200, timeoutMs: 0 },
      );
      this.committed[w]?.push({ state: await this.#state(w), before });
      await this.afterCommit(++this.total);
    }
  }

  /** Leaves blocks behind that no commit points at, and that the next bulk insert writes again. */
  async #giveUp(w: number, step: number): Promise<void> {
    const work = async (session: Session): Promise<void> => {
      await session.run(`INSERT INTO w${w}_bulk SELECT range, hash(-range) FROM range(${this.bulk(step)})`);
      throw new GivenUp();
    };
    await this.core.database.transaction(work).catch((error: unknown) => {
      if (!(error instanceof GivenUp)) throw error;
    });
  }

  async #state(w: number): Promise<string[]> {
    return this.core.database.read((session) => stateOf((sql) => session.all(sql), w));
  }
}

/** Everything that belongs to one writer. */
async function stateOf(query: Query, w: number): Promise<string[]> {
  const tables = await query<{ name: string }>(
    `SELECT table_name AS name FROM duckdb_tables() WHERE starts_with(table_name, 'w${w}_') ORDER BY 1`,
  );
  const state: string[] = [];
  for (const { name } of tables) {
    const [row] = await query<{ v: string }>(
      `SELECT count(*)::VARCHAR || ':' || coalesce(sum(hash(t)), 0)::VARCHAR AS v FROM ${name} AS t`,
    );
    state.push(`${name} ${row?.v}`);
  }
  const indexes = await query<{ name: string }>(
    `SELECT index_name AS name FROM duckdb_indexes() WHERE starts_with(table_name, 'w${w}_') ORDER BY 1`,
  );
  return [...state, ...indexes.map(({ name }) => name)];
}

const KINDS: readonly ((prefix: string, step: number, rows: number) => string)[] = [
  (w, step, rows) =>
    `INSERT INTO ${w}_bulk SELECT range + ${step} * 10000000, hash(range + ${step}) FROM range(${rows})`,
  () => 'SELECT 1',
  (w, step) => `INSERT INTO ${w}_items SELECT ${step} * 1000 + range, 'label ' || range % 7 FROM range(50)`,
  (w) => `UPDATE ${w}_items SET label = label || 'x' WHERE id % 3 = 0`,
  (w, step) => `DELETE FROM ${w}_items WHERE id % 5 = ${step % 5}; DELETE FROM ${w}_bulk WHERE a % 7 = ${step % 7}`,
  (w) => `CREATE OR REPLACE TABLE ${w}_copy AS SELECT *, a % 10 AS c FROM ${w}_bulk WHERE a % 2 = 0`,
  (w, step) =>
    `ALTER TABLE ${w}_wide ADD COLUMN c${step} INTEGER DEFAULT ${step}; INSERT INTO ${w}_wide (id) VALUES (${step})`,
  (w) => `CREATE INDEX IF NOT EXISTS ${w}_i ON ${w}_bulk (a)`,
  (w, step) => `INSERT INTO ${w}_items SELECT -nextval('${w}_seq'), 'seq ${step}' FROM range(3)`,
  (w, step) =>
    `INSERT INTO ${w}_parents VALUES (${step}); INSERT INTO ${w}_children SELECT range, ${step} FROM range(9)`,
  (w) => `DROP TABLE IF EXISTS ${w}_copy`,
  (w) => `DROP INDEX IF EXISTS ${w}_i; DELETE FROM ${w}_bulk`,
];

/** Checks a restored database against its own journal; how many commits of each writer it holds. */
export async function checkRestored(writers: ConcurrentWriters, query: Query): Promise<number[]> {
  const journal = await query<{ writer: number; seq: number; source: number; target: number; amount: number }>(
    'SELECT * FROM journal ORDER BY writer, seq',
  );
  const held = Array.from({ length: WRITERS }, () => 0);
  const balances = Array.from({ length: ACCOUNTS }, () => 100);
  for (const { writer, seq, source, target, amount } of journal) {
    held[writer] = (held[writer] ?? 0) + 1;
    if (held[writer] !== seq) throw new Error(`writer ${writer} has ${seq} where ${held[writer]} should be`);
    balances[source] = (balances[source] ?? 0) - amount;
    balances[target] = (balances[target] ?? 0) + amount;
  }
  const accounts = await query<{ balance: number }>('SELECT balance FROM accounts ORDER BY id');
  requireEqual(
    'accounts',
    accounts.map(({ balance }) => balance),
    balances,
  );
  for (const [w, count] of held.entries()) {
    const commit = writers.committed[w]?.[count];
    if (commit === undefined) throw new Error(`writer ${w} never committed ${count} times`);
    requireEqual(`the tables of writer ${w} after ${count} commits`, await stateOf(query, w), commit.state);
    for (const [other, least] of commit.before.entries()) {
      if ((held[other] ?? 0) < least)
        throw new Error(`commit ${count} of writer ${w} is there without those before it`);
    }
  }
  return held;
}

function requireEqual(what: string, found: readonly unknown[], expected: readonly unknown[]): void {
  if (found.join('\n') === expected.join('\n')) return;
  throw new Error(`${what} are not as they were:\n${found.join('\n')}\nin place of\n${expected.join('\n')}`);
}
