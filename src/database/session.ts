import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { messageOf } from '../errors/eider-error.js';

/** Values that may be bound. They are never put into the text of a statement. */
export type SqlValue = DuckDBValue;
/** By position (`$1`, `?`) or by name (`$name`). */
export type SqlParams = readonly SqlValue[] | Readonly<Record<string, SqlValue>>;

/** A connection for the time of one piece of work. */
export interface Session {
  /** Runs a statement; the number of rows it changed. */
  run(sql: string, params?: SqlParams): Promise<{ readonly rowsChanged: number }>;
  /**
   * Runs the statements of a script, which have no parameters. A failure names the statement by its number; those before
   * it stand unless a transaction is rolled back.
   */
  runScript(sql: string): Promise<void>;
  /** All rows, as objects by column name; BIGINT comes as bigint, times as Date. */
  all<T = Record<string, unknown>>(sql: string, params?: SqlParams): Promise<T[]>;
  /** The first row; undefined where there is none. */
  first<T = Record<string, unknown>>(sql: string, params?: SqlParams): Promise<T | undefined>;
}

/**
 * Statements that leave a connection other than it was: in a transaction, in another database, with other settings. The
 * words count in literals and names, too, which costs no more than a new connection.
 */
const ALTERS_CONNECTION = /\b(?:begin|start|use|attach|detach|pragma|reset)\b|(?:^|[;\n/])\s*set\b/i;

/** Text in which words mean nothing: comments, literals, quoted names. */
const NO_CODE = /--[^\n]*|\/\*[\s\S]*?\*\/|'[^']*'|"[^"]*"/g;
/** A checkpoint beside other writes may leave a file that does not open any more: duckdb#25970. A help, no wall. */
const FOLDS_LOG =
  /(?:^|;)\s*(?:explain\s+(?:analyze\s+)?)?(?:(?:force\s+)?checkpoint|pragma\s+(?:force_)?checkpoint)\b|\b(?:call|from)\s+(?:force_)?checkpoint\s*\(/i;

/** A session on a connection of DuckDB. Results are read whole: an open stream would hold the file open. */
export class ConnectionSession implements Session {
  #altered = false;

  constructor(
    private readonly connection: DuckDBConnection,
    private readonly beforeStatement: () => void = () => {},
  ) {}

  /** Whether the connection may not be as it was, so that nobody else must get it. */
  get alteredConnection(): boolean {
    return this.#altered;
  }

  async run(sql: string, params?: SqlParams): Promise<{ readonly rowsChanged: number }> {
    this.#before(sql);
    const result = await this.connection.run(sql, mutable(params));
    return { rowsChanged: result.rowsChanged };
  }

  async runScript(sql: string): Promise<void> {
    this.#before(sql);
    const statements = await this.connection.extractStatements(sql);
    for (let index = 0; index < statements.count; index++) {
      this.beforeStatement();
      try {
        const statement = await statements.prepare(index);
        try {
          await statement.run();
        } finally {
          statement.destroySync();
        }
      } catch (error) {
        const message = `statement ${index + 1} of ${statements.count}: ${messageOf(error)}`;
        throw new Error(message, { cause: error });
      }
    }
  }

  async all<T = Record<string, unknown>>(sql: string, params?: SqlParams): Promise<T[]> {
    this.#before(sql);
    const reader = await this.connection.runAndReadAll(sql, mutable(params));
    // The caller names the columns in the statement, so only the caller knows their types.
    return reader.getRowObjectsJS() as T[];
  }

  async first<T = Record<string, unknown>>(sql: string, params?: SqlParams): Promise<T | undefined> {
    return (await this.all<T>(sql, params))[0];
  }

  #before(sql: string): void {
    this.beforeStatement();
    if (foldsLog(sql)) throw new Error('CHECKPOINT must run beside no write: call DatabaseService.checkpoint()');
    this.#altered ||= ALTERS_CONNECTION.test(sql);
  }
}

function foldsLog(sql: string): boolean {
  return /checkpoint/i.test(sql) && FOLDS_LOG.test(sql.replace(NO_CODE, ' '));
}

function mutable(params: SqlParams | undefined): SqlValue[] | Record<string, SqlValue> | undefined {
  if (params === undefined) return undefined;
  return Array.isArray(params)
    ? [...(params as readonly SqlValue[])]
    : { ...(params as Readonly<Record<string, SqlValue>>) };
}
