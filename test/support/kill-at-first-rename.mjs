/** Loaded before a program (`node --import`): ends it as a kill does at its first rename. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

fs.promises.rename = async () => {
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => {});
};
syncBuiltinESMExports();
