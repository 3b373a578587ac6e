import type { DuckDBConnection } from '@duckdb/node-api';
import type { UnitOfWork } from './work-registry.js';

/** Runs work in a transaction on a connection: all of it is committed, or none. */
export async function inTransaction<T>(
  connection: DuckDBConnection,
  unit: UnitOfWork,
  work: () => Promise<T>,
  mode: 'READ ONLY' | 'READ WRITE',
): Promise<T> {
  await connection.run(`BEGIN TRANSACTION ${mode}`);
  try {
    const result = await work();
    unit.check();
    unit.concludes();
    await connection.run('COMMIT');
    return result;
  } catch (error) {
    unit.concludes();
    // A failed statement has ended the transaction already; then there is nothing to roll back.
    await connection.run('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** Work that began a transaction and did not end it has committed nothing, whatever it believes. */
export async function refuseOpenTransaction(connection: DuckDBConnection): Promise<void> {
  const open = await connection.run('ROLLBACK').then(
    () => true,
    // There is nothing to roll back, as there should not be.
    () => false,
  );
  if (open)
    throw new Error('the work left a transaction open, which was rolled back: use transaction() in place of BEGIN');
}

/**
 * How long a transaction waits before it begins again, ms. DuckDB reports a conflict at once, while the other transaction
 * still waits for its fsync: without a pause all tries would be over before that one has committed.
 */
export function conflictPause(attempt: number): number {
  return Math.random() * Math.min(100, 2 ** attempt);
}
