/**
 * Swaps databases as a process that is killed at its n-th rename or removal:
 * `node kill-at-rename.mjs <n> before|after swap|take-back|recover <database> <replacement> <aside>`.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [nth, when, action, database, replacement, aside] = process.argv.slice(2);
let left = Number(nth);

for (const name of ['rename', 'rm']) {
  const real = fs.promises[name];
  fs.promises[name] = async (...args) => {
    left -= 1;
    if (left === 0 && when === 'before') process.kill(process.pid, 'SIGKILL');
    await real(...args);
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
syncBuiltinESMExports();

const { DatabaseSwap, recoverSwap } = await import('../../dist/database/swap.js');
if (action === 'recover') {
  await recoverSwap(database);
} else {
  const swap = await DatabaseSwap.begin(database, replacement, aside);
  if (action === 'swap') await swap.commit();
  else await swap.undo();
}
