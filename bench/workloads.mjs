/** Commits that an application makes all the time, each by its name: on a database of generate.mjs, with `shipped` beside its tables. */
export const WORKLOADS = {
  /** A row at the end of a table without an index, such as a log. */
  appends: (session, n) =>
    session.run('INSERT INTO shipped VALUES (?, now()::TIMESTAMP, ?)', [n, `guest ${n} was here`]),
  /** That, and a number of a customer picked at random. */
  updates: async (session, n) => {
    await WORKLOADS.appends(session, n);
    const customer = '(SELECT hash(?)::HUGEINT % (max(id) + 1) FROM customers)::BIGINT';
    await session.run(`UPDATE customers SET credit = credit + 1 WHERE id = ${customer}`, [n]);
  },
  /** That, and a row of a table with two indexes, which DuckDB writes anew as a whole with every checkpoint. */
  orders: async (session, n) => {
    await WORKLOADS.updates(session, n);
    await session.run(
      "INSERT INTO orders VALUES (?, ?, now()::TIMESTAMP, 'open', 10, uuid(), 'a table at the window, please')",
      [1e12 + n, n * 7],
    );
  },
};
