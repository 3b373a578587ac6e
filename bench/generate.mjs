#!/usr/bin/env node
// Makes a database that looks like one in use: customers, orders, events and a log, with primary keys, ART indexes,
// decimals, timestamps, JSON and prose. The content depends on size and seed alone (hashes, no random()).
//
//   node bench/generate.mjs <file> <size, such as 500MB> [seed]
import { DuckDBInstance } from '@duckdb/node-api';
import { statSync } from 'node:fs';
import { parseSize } from './units.mjs';

const SCHEMA = `
  CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL, email VARCHAR UNIQUE, city VARCHAR, joined TIMESTAMP, credit DECIMAL(12,2));
  CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT NOT NULL, placed TIMESTAMP, status VARCHAR, total DECIMAL(12,2), reference UUID, note VARCHAR);
  CREATE INDEX orders_by_customer ON orders (customer_id);
  CREATE TABLE events (id BIGINT, seen TIMESTAMP, kind VARCHAR, session UUID, payload JSON);
  CREATE TABLE log (written TIMESTAMP, level VARCHAR, source VARCHAR, message VARCHAR);
  CREATE TABLE commits (id BIGINT PRIMARY KEY, made TIMESTAMP, note VARCHAR);
`;

const WORDS = `the guest table evening dinner arrives late again quiet corner window request special menu wine pairing
  allergy birthday anniversary member invitation yacht sunset concert gallery private transfer hotel airport confirmed
  waiting cancelled refund invoice paid partly reminder sent twice by phone please call back before noon tomorrow`;

/** Macros over a hash: the same row number and seed give the same value, whatever the number of threads. */
const macros = (seed) => `
  CREATE TEMP MACRO h(i, salt) AS hash(i * 1000003 + salt * 7919 + ${seed} * 104729);
  CREATE TEMP MACRO below(i, salt, n) AS (h(i, salt) % n)::BIGINT;
  CREATE TEMP MACRO moment(i, salt) AS TIMESTAMP '2021-01-01' + to_seconds(i * 3 + below(i, salt, 86400));
  CREATE TEMP MACRO id128(i, salt) AS md5(concat(i, ':', salt, ':', ${seed}))::UUID;
  CREATE TEMP MACRO money(i, salt) AS (below(i, salt, 900000) / 100 + 10)::DECIMAL(12,2);
  CREATE TEMP TABLE phrases AS
    SELECT n, array_to_string(list_transform(range(3 + below(n, 1, 5)), k -> words[1 + below(n * 8 + k, 2, len(words))]), ' ') AS text
    FROM range(4096) t(n), (SELECT regexp_split_to_array('${WORDS.replaceAll(/\s+/g, ' ')}', ' ') AS words);
`;

/** Row numbers, each with three phrases. Joins keep the order of the rows, so the file is laid out by row number. */
const rows = (from, to) => `(
  SELECT i, a.text AS a, b.text AS b, c.text AS c FROM range(${from}, ${to}) t(i)
  JOIN phrases a ON a.n = below(i, 30, 4096) JOIN phrases b ON b.n = below(i, 31, 4096) JOIN phrases c ON c.n = below(i, 32, 4096))`;

/** Rows [from, to) of `orders`, and of the other tables in proportion. */
const batch = (from, to) => [
  `INSERT INTO customers SELECT i, split_part(a, ' ', 1) || ' ' || split_part(b, ' ', 2), concat('guest', i, '@mail', below(i, 4, 30), '.example'),
     split_part(c, ' ', 1), moment(i, 6), money(i, 7) FROM ${rows(from / 10, to / 10)}`,
  `INSERT INTO orders SELECT i, below(i, 8, ${to / 10}), moment(i, 9), CASE below(i, 10, 6) WHEN 0 THEN 'open' WHEN 1 THEN 'refunded' ELSE 'paid' END,
     money(i, 11), id128(i, 12), CASE WHEN below(i, 13, 4) = 0 THEN concat_ws(', ', a, b, c) END FROM ${rows(from, to)}`,
  `INSERT INTO events SELECT i, moment(i, 15), CASE below(i, 16, 4) WHEN 0 THEN 'click' WHEN 1 THEN 'search' ELSE 'view' END, id128(i // 12, 17),
     concat('{"page":', below(i, 18, 5000), ',"ms":', below(i, 19, 4000), ',"query":"', a, '","trace":"', to_hex(h(i, 21)), '"}') FROM ${rows(from * 2, to * 2)}`,
  `INSERT INTO log SELECT moment(i, 22), CASE below(i, 23, 20) WHEN 0 THEN 'ERROR' WHEN 1 THEN 'WARN' ELSE 'INFO' END, split_part(c, ' ', 1),
     concat('request ', to_hex(h(i, 25)), ' ', a, '; ', b, ' in ', below(i, 27, 900), ' ms') FROM ${rows(from * 2, to * 2)}`,
];

/** Rows of `orders` in a batch: large enough for whole row groups, small enough for memory and a close fit in size. */
const BATCH_ROWS = 100_000;
/** Bytes of file that a batch makes, about. */
const BATCH_BYTES = 34e6;

/** Writes the database; it ends with no log beside it. Gives its size in bytes. */
export async function generate(file, bytes, seed = 1) {
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '3GB' });
  const connection = await instance.connect();
  await connection.run(`ATTACH '${file.replaceAll("'", "''")}' AS made (STORAGE_VERSION 'latest'); USE made;`);
  await connection.run(`SET checkpoint_threshold = '100TB'; ${SCHEMA}`);
  await connection.run(macros(seed));
  // Each checkpoint writes the indexes anew, so they are few: about eight in all.
  const batches = Math.max(1, Math.floor(bytes / 8 / BATCH_BYTES));
  for (let from = 0; statSync(file).size < bytes * 0.97;) {
    for (let n = 0; n < batches; n++, from += BATCH_ROWS) {
      for (const statement of batch(from, from + BATCH_ROWS)) await connection.run(statement);
    }
    await connection.run('CHECKPOINT made');
  }
  await connection.run('USE memory; DETACH made');
  connection.closeSync();
  instance.closeSync();
  return statSync(file).size;
}

/** Adds a share of what is there to the tables of an open database that was made with this seed, after its last rows. */
export async function append(connection, share, seed) {
  await connection.run(macros(seed));
  const [[from]] = await (await connection.run('SELECT count(*)::INTEGER FROM orders')).getRows();
  // Customers are a tenth of the orders.
  const to = from + 10 * Math.round((from * share) / 10);
  for (const statement of batch(from, to)) await connection.run(statement);
}

if (process.argv[1] === import.meta.filename) {
  const [file, size, seed] = process.argv.slice(2);
  console.log(await generate(file, parseSize(size), Number(seed ?? 1)));
}
