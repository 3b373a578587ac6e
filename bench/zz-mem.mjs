import { eiderEnvironment } from '/work/wt/d/bench/contenders.mjs';
import { openStore } from '/work/wt/d/bench/stores.mjs';
import { run } from '/work/wt/d/bench/measure.mjs';
import { rmSync } from 'node:fs';
const [db] = process.argv.slice(2);
const store = await openStore('s3', '/work/tmp-d', 0);
const prefix = 'mem';
const env = { ...eiderEnvironment({ database: db, prefix, store }), ...(process.env.UNOPENED ? { R2_VALIDATE_DOWNLOADS: 'false' } : {}) };
const restored = '/work/tmp-d/restored.duckdb';
rmSync(restored, { force: true }); rmSync(`${db}.eider.json`, { force: true });
const f = (r) => `${r.seconds.toFixed(1)} s, cpu ${r.cpu.toFixed(1)}, peak ${(r.peak / 1048576).toFixed(0)} MiB + ${(r.child / 1048576).toFixed(0)}`;
try {
  console.log('backup', f(await run(['node', 'dist/cli.js', 'backup', '--json'], env)));
  console.log('restore', f(await run(['node', 'dist/cli.js', 'restore', '--to', restored, '--json'], env)));
} finally { rmSync(restored, { force: true }); rmSync(`${db}.eider.json`, { force: true }); await store.empty(prefix); await store.stop(); }
