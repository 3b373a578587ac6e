import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { codecOf } from '../block-pool/codec.js';
import { EncryptionKey } from '../encryption/encryption-key.js';
import { openLog, sealLogPart } from './sealed-log.js';

const { bytes: key } = EncryptionKey.generate();
const LOG = 'hesocial-backup-20260101-000000.duckdb.wal.zst.enc';
const codec = codecOf('zstd');
const TEXTS = ['first', 'second', 'third', 'last'];
const parts = sealed(TEXTS);

function sealed(texts: readonly string[], log = LOG): Buffer[] {
  return texts.map((text, index) =>
    sealLogPart(key, { log, index, isLast: index === texts.length - 1 }, codec.encode(Buffer.from(text))),
  );
}

async function* chunksOf(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer, void, void> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function read(stored: readonly Buffer[], log = LOG, sizes: readonly number[] = [50]): Promise<string[]> {
  const texts: string[] = [];
  for await (const content of openLog(chunksOf(Buffer.concat(stored), sizes), key, log, codec)) {
    texts.push(Buffer.from(content).toString());
  }
  return texts;
}

describe('an encrypted log', () => {
  it('is read whole, in whatever pieces it comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), async (sizes) => {
        expect(await read(parts, LOG, sizes)).toEqual(TEXTS);
      }),
      { numRuns: 30 },
    );
    expect(await read(sealed(['only']), LOG)).toEqual(['only']);
  });

  const [a, b, c, d] = parts as [Buffer, Buffer, Buffer, Buffer];
  it.each<[string, Buffer[]]>([
    ['is empty', []],
    ['lacks its end', [a, b, c]],
    ['lacks its beginning', [b, c, d]],
    ['lacks a part', [a, c, d]],
    ['has a part twice', [a, b, b, c, d]],
    ['has parts exchanged', [a, c, b, d]],
    ['goes on behind its end', [a, b, c, d, d]],
    ['has a part of another log', [a, sealed(TEXTS, `x-${LOG}`)[1]!, c, d]],
    ['has a length that cannot be', [a, Buffer.from('ffffffff', 'hex'), c, d]],
  ])('that %s is refused', async (_, stored) => {
    await expect(read(stored)).rejects.toThrow();
  });

  it('that was cut at any byte, or has any byte changed, is refused', async () => {
    const whole = Buffer.concat(parts);
    for (let at = 0; at < whole.length; at++) {
      await expect(read([whole.subarray(0, at)])).rejects.toThrow();
      const other = Buffer.from(whole);
      other[at] = (other[at] ?? 0) ^ 0x10;
      await expect(read([other])).rejects.toThrow();
    }
  });

  it('is refused under another key of the store', async () => {
    await expect(read(parts, `${LOG}.copy`)).rejects.toThrow(/not what was sealed/);
  });
});
