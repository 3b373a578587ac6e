#!/usr/bin/env node
// Changes a database that generate.mjs made, and leaves one file without a log. Which rows depends on the seed alone.
//
//   node bench/changes.mjs <file> <name of the change> [seed]
import { DuckDBInstance } from '@duckdb/node-api';
import { append } from './generate.mjs';

/** `events` is the largest table, `id` its numeric column. */
const update = (connection, rows) => connection.run(`UPDATE events SET id = id + rowid % 1000 + 1 WHERE ${rows}`);

const MAKE = {
  'one row changed': (connection, seed) =>
    update(connection, `rowid = (SELECT (hash(${seed}) % count(*))::BIGINT FROM events)`),
  '1 % of the numbers of the largest table changed': (connection, seed) =>
    update(connection, `hash(rowid * 1000003 + ${seed}) % 100 = 0`),
  '5 % appended to every table': (connection, seed) => append(connection, 0.05, seed),
};

/** Made one after the other, each on top of those before it. */
export const CHANGES = Object.keys(MAKE);

async function change(file, name, seed) {
  const instance = await DuckDBInstance.create(file, { memory_limit: '3GB' });
  const connection = await instance.connect();
  await MAKE[name](connection, seed);
  await connection.run('CHECKPOINT');
  connection.closeSync();
  instance.closeSync();
}

if (process.argv[1] === import.meta.filename) {
  const [file, name, seed] = process.argv.slice(2);
  await change(file, name, Number(seed ?? 1));
}
