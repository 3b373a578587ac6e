import { DuckDBInstance } from '@duckdb/node-api';
import { z } from 'zod';

/**
 * What the tables of shipper.mjs hold, and in how many ways it is not the result of whole commits: one row.
 *
 * `other` is what the other writer had acknowledged before a commit began, so it must be there, too.
 */
export const LEDGER_SQL = `
  SELECT
    (SELECT coalesce(max(n), 0)::INTEGER FROM commits) AS last_n,
    (SELECT coalesce(max(m), 0)::INTEGER FROM bulks) AS last_m,
    (SELECT coalesce(string_agg(line, ' ' ORDER BY low), '') FROM
      (SELECT min(n) AS low, round || ':' || min(n) || '-' || max(n) || '/' || count(*) AS line
       FROM commits GROUP BY round)) AS small,
    (SELECT coalesce(string_agg(line, ' ' ORDER BY low), '') FROM
      (SELECT min(m) AS low, round || ':' || min(m) || '-' || max(m) || '/' || count(*) AS line
       FROM bulks GROUP BY round)) AS bulk,
    (SELECT count(*)::INTEGER FROM ledger AS l
     LEFT JOIN (SELECT n % 7 AS id, sum(n) AS total FROM commits GROUP BY ALL) AS s USING (id)
     WHERE l.total <> coalesce(s.total, 0)) AS wrong_totals,
    (SELECT count(*)::INTEGER FROM
      (SELECT m, rows * m * 1000003::HUGEINT + rows * (rows - 1)::HUGEINT // 2 AS expected, rows FROM bulks
       WHERE NOT ((m + 2) % 3 = 0 AND m + 2 <= (SELECT max(m) FROM bulks))) AS b
     FULL JOIN (SELECT m, sum(v) AS found, count(*) AS rows FROM ballast GROUP BY m) AS s USING (m)
     WHERE found IS DISTINCT FROM expected OR b.rows IS DISTINCT FROM s.rows) AS wrong_bulks,
    (SELECT count(*)::INTEGER FROM commits WHERE other > (SELECT coalesce(max(m), 0) FROM bulks)) AS early_small,
    (SELECT count(*)::INTEGER FROM bulks WHERE other > (SELECT coalesce(max(n), 0) FROM commits)) AS early_bulk`;

export const ledgerSchema = z.object({
  last_n: z.int(),
  last_m: z.int(),
  small: z.string(),
  bulk: z.string(),
  wrong_totals: z.int(),
  wrong_bulks: z.int(),
  early_small: z.int(),
  early_bulk: z.int(),
});
export type Ledger = z.infer<typeof ledgerSchema>;

/** What shows that a ledger is not the result of whole commits. */
export function faultsOf({ wrong_totals, wrong_bulks, early_small, early_bulk }: Ledger): string[] {
  const faults = { wrong_totals, wrong_bulks, early_small, early_bulk };
  return Object.entries(faults).flatMap(([what, times]) => (times === 0 ? [] : [`${what}: ${times}`]));
}

/** Reads the ledger of a restored database that nobody has open; its log is replayed. Undefined before the tables were made. */
export async function readLedger(file: string): Promise<Ledger | undefined> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run(`ATTACH '${file}' AS hesocial`);
    await connection.run('USE hesocial.main');
    const tables = await connection.runAndReadAll(
      "SELECT count(*)::INTEGER FROM duckdb_tables() WHERE table_name IN ('commits', 'bulks', 'ledger', 'ballast')",
    );
    if (tables.getRows()[0]?.[0] !== 4) return undefined;
    const reader = await connection.runAndReadAll(LEDGER_SQL);
    return ledgerSchema.parse(reader.getRowObjects()[0]);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
