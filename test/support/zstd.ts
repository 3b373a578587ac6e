import { Encoder } from '@toondepauw/node-zstd';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { decompress } from 'fzstd';

/**
 * Whether the stock `zstd` is on this machine. Where it is not, an independent decoder stands in for it, so that the tests
 * need Node and npm alone; a continuous-integration run has to have it.
 */
export const hasStockZstd = spawnSync('zstd', ['--version']).status === 0;
if (!hasStockZstd && process.env['CI'] !== undefined) throw new Error('zstd is not installed: the promise is of it');

/** One frame, as `zstd` makes it. */
export function zstd(bytes: Buffer): Buffer {
  return new Encoder(3).encodeSync(bytes);
}

/** What `zstd -d --rm file` does: `x.zst` becomes `x`. */
export function unzstdFile(file: string): void {
  if (hasStockZstd) {
    execFileSync('zstd', ['-q', '-d', '--rm', file]);
    return;
  }
  writeFileSync(file.replace(/\.zst$/, ''), unzstd(readFileSync(file)));
  rmSync(file);
}

/** All frames of a stored object, decoded. */
export function unzstd(bytes: Buffer): Buffer {
  return Buffer.from(decompress(bytes));
}
