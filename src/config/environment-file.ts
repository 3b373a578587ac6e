import { existsSync } from 'node:fs';
import { loadEnvFile } from 'node:process';

/** Reads `.env` in the working folder, where there is one; variables that are set already win. */
export function loadEnvironmentFile(path = '.env'): void {
  if (existsSync(path)) loadEnvFile(path);
}
