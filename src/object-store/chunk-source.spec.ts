import { expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { collectGarbage } from '../../test/support/collect-garbage.js';
import { ChunkSource } from './chunk-source.js';

const CHUNKS = 20;

it('keeps no chunk of an upload once the next one is asked for', async () => {
  const pulled: WeakRef<Buffer>[] = [];
  async function* chunks(): AsyncGenerator<Buffer, void, void> {
    for (let n = 0; n < CHUNKS; n++) {
      const chunk = Buffer.alloc(64 * 1024, n);
      pulled.push(new WeakRef(chunk));
      yield chunk;
    }
  }
  const source = new ChunkSource(chunks(), new AbortController().signal);
  for (let n = 0; n < CHUNKS; n++) expect((await source.next())?.length).toBe(64 * 1024);
  await setImmediate();
  collectGarbage();
  // The generator may still hold the last one.
  expect(pulled.filter((chunk) => chunk.deref() !== undefined).length).toBeLessThanOrEqual(1);
});
