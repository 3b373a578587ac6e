import { spawn } from 'node:child_process';
import { watchProcess } from './process-figures.mjs';

/**
 * Runs a command and waits for it. Throws with the end of what it wrote to the standard error when it fails.
 *
 * @param {readonly string[]} command
 * @param {Record<string, string>} env   beside this process's own
 * @returns {Promise<{ seconds: number, peak: number, child: number, cpu: number, output: string }>} peak resident memory of the command
 *   itself and of the largest process that it started, bytes; processor seconds of both
 */
export function run([program, ...args], env = {}) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const figures = watchProcess(child.pid);
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (errors = `${errors}${chunk}`.slice(-2_000)));
    child.once('error', reject);
    child.once('close', (code) => {
      const seconds = (performance.now() - started) / 1000;
      const seen = figures.stop();
      if (code === 0) resolve({ seconds, ...seen, output });
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code}: ${errors}`));
    });
  });
}
