#!/usr/bin/env node
// Runs the S3 double as a process of its own, for tests and benchmarks of the built service:
//
//   node test/support/s3/serve.mjs '{"port":0,"folder":"/tmp/objects","rules":{"writesPerSecondAndKey":1000}}'
//
// The one argument is S3DoubleOptions as JSON. Prints one JSON line {endpoint, bucket, credentials, pid} when it listens;
// ends on SIGTERM, SIGINT, or when its standard input closes (so that it never outlives a test that was killed), unless
// EIDER_DOUBLE_DETACHED is set. Faults are set with POST <endpoint>/_control (control.ts).
import { transformFileSync } from '@swc/core';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// Node 20 cannot run TypeScript; the double imports nothing but Node's own modules, so compiling this folder is enough.
const source = fileURLToPath(new URL('.', import.meta.url));
const compiled = mkdtempSync(join(tmpdir(), 's3-double-'));
process.on('exit', () => rmSync(compiled, { recursive: true, force: true }));
writeFileSync(join(compiled, 'package.json'), '{"type":"module"}');
for (const name of readdirSync(source).filter((file) => file.endsWith('.ts'))) {
  const options = { swcrc: false, sourceMaps: 'inline', jsc: { target: 'es2022', parser: { syntax: 'typescript' } } };
  const { code } = transformFileSync(join(source, name), { ...options, module: { type: 'es6' } });
  writeFileSync(join(compiled, name.replace(/\.ts$/, '.js')), code);
}

const { S3Double } = await import(pathToFileURL(join(compiled, 's3-double.js')).href);
const double = await S3Double.start(JSON.parse(process.argv[2] ?? '{}'));
const { endpoint, bucket, credentials } = double;
console.log(JSON.stringify({ endpoint, bucket, credentials, pid: process.pid }));

const stop = () => void double.stop().then(() => process.exit(0));
process.on('SIGTERM', stop).on('SIGINT', stop);
if (!process.env.EIDER_DOUBLE_DETACHED) process.stdin.on('end', stop).resume();
