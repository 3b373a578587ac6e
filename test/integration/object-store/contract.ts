import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { ObjectInfo, ObjectStore } from '../../../src/object-store/object-store.js';
import { hasUpkeep } from '../../../src/object-store/store-upkeep.js';

/** A store under test and how to get another one over the same objects. */
export interface Subject {
  readonly store: ObjectStore;
  /** Sees every object that the store's own listing sees, as another process would. */
  readonly other: ObjectStore;
  readonly partSize: number;
  dispose(): Promise<void>;
}

export const bytes = (size: number, seed = 1): Buffer => {
  const body = Buffer.allocUnsafe(size);
  for (let at = 0, value = seed; at < size; at += 1, value = (value * 1103515245 + 12345) & 0x7fffffff) {
    body[at] = value >>> 16;
  }
  return body;
};

export async function* chunked(body: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += size) yield await Promise.resolve(body.subarray(at, at + size));
}

export async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function keysOf(listing: AsyncIterable<ObjectInfo>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listing) keys.push(key);
  return keys;
}

/** What every object store does, whatever is behind it. */
export function objectStoreContract(name: string, open: () => Promise<Subject>): void {
  describe(`the object store contract: ${name}`, () => {
    let subject: Subject;
    let store: ObjectStore;
    /** A folder of its own for each test, so that none depends on another. */
    let at: string;

    beforeAll(async () => {
      subject = await open();
      store = subject.store;
    });
    beforeEach(() => {
      at = `t${randomUUID()}`;
    });
    afterAll(async () => {
      await subject.store.close();
      await subject.other.close();
      await subject.dispose();
    });

    describe('put and read', () => {
      it('gives back the bytes that were put', async () => {
        const body = bytes(100_000);
        await store.put(`${at}/a`, body);
        expect(await subject.other.read(`${at}/a`)).toEqual(body);
      });

      it('keeps an empty object', async () => {
        await store.put(`${at}/empty`, Buffer.alloc(0));
        expect(await store.read(`${at}/empty`)).toEqual(Buffer.alloc(0));
        const opened = await store.open(`${at}/empty`);
        expect(opened.length).toBe(0);
        expect(await collect(opened.stream)).toEqual(Buffer.alloc(0));
        expect((await store.head(`${at}/empty`))?.size).toBe(0);
      });

      it('replaces an object where that is not forbidden', async () => {
        await store.put(`${at}/a`, Buffer.from('one'));
        await store.put(`${at}/a`, Buffer.from('two'));
        expect((await store.read(`${at}/a`)).toString()).toBe('two');
      });

      it('takes keys with spaces, dots, plus signs, percent signs and letters beyond ASCII', async () => {
        for (const name of [
          'a b',
          'a+b',
          'a%20b',
          "it's (1)!*",
          '.hidden',
          'Ærø/ø',
          '北京',
          'a&b=<c>"',
          '🦆',
          'a:b@c,d;e',
        ]) {
          await store.put(`${at}/${name}`, Buffer.from(name));
          expect((await store.read(`${at}/${name}`)).toString()).toBe(name);
          expect(await keysOf(store.list(`${at}/${name}`))).toContain(`${at}/${name}`);
        }
      });

      it.each(['', '/a', 'a/', 'a//b', '..', 'a/../b', './a', 'a/.', 'a\0b', 'a\nb', 'x'.repeat(1025)])(
        'refuses the key %j',
        async (key) => {
          const refusal = { code: 'STORE_KEY_INVALID' };
          await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject(refusal);
          await expect(store.upload(key, chunked(Buffer.from('x'), 1))).rejects.toMatchObject(refusal);
          await expect(store.read(key)).rejects.toMatchObject(refusal);
          await expect(store.open(key)).rejects.toMatchObject(refusal);
          await expect(store.head(key)).rejects.toMatchObject(refusal);
          await expect(store.delete(key)).rejects.toMatchObject(refusal);
        },
      );

      it('says STORE_NOT_FOUND for an object that is not there', async () => {
        await expect(store.read(`${at}/none`)).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
        await expect(store.open(`${at}/none`)).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
        const empty = { range: { start: 0, end: 0 } };
        await expect(store.read(`${at}/none`, empty)).rejects.toMatchObject({ code: 'STORE_NOT_FOUND' });
      });
    });

    it('reads into the memory that it is given, unless that is too small', async () => {
      const body = bytes(5_000);
      await store.put(`${at}/a`, body);
      const shared = new Uint8Array(new SharedArrayBuffer(4_000));
      const read = await store.read(`${at}/a`, { range: { start: 1_000, end: 4_500 }, into: shared });
      expect(read).toEqual(body.subarray(1_000, 4_500));
      expect(read.buffer).toBe(shared.buffer);
      shared.fill(0);
      expect(read[0]).toBe(0);
      const small = new Uint8Array(3_499);
      expect(await store.read(`${at}/a`, { range: { start: 1_000, end: 4_500 }, into: small })).toEqual(
        body.subarray(1_000, 4_500),
      );
      expect(small).toEqual(new Uint8Array(3_499));
    });

    describe('ranges', () => {
      const body = bytes(1000);
      beforeEach(async () => store.put(`${at}/a`, body));

      it.each([
        [0, 1],
        [0, 1000],
        [999, 1000],
        [400, 600],
        [500, 500],
      ])('reads bytes %d to %d', async (start, end) => {
        expect(await store.read(`${at}/a`, { range: { start, end } })).toEqual(body.subarray(start, end));
        const { stream, length } = await store.open(`${at}/a`, { range: { start, end } });
        expect(length).toBe(end - start);
        expect(await collect(stream)).toEqual(body.subarray(start, end));
      });

      it.each([
        [900, 1001],
        [1000, 1001],
        [5000, 6000],
      ])('says STORE_CORRUPT for bytes %d to %d, which the object does not have', async (start, end) => {
        const refusal = { code: 'STORE_CORRUPT' };
        await expect(store.read(`${at}/a`, { range: { start, end } })).rejects.toMatchObject(refusal);
        await expect(store.open(`${at}/a`, { range: { start, end } })).rejects.toMatchObject(refusal);
      });

      it.each([
        [-1, 5],
        [5, 4],
        [0.5, 3],
        [0, Number.MAX_SAFE_INTEGER + 1],
      ])('refuses the range %d to %d', async (start, end) => {
        const refusal = { code: 'STORE_FAILED' };
        await expect(store.read(`${at}/a`, { range: { start, end } })).rejects.toMatchObject(refusal);
        await expect(store.open(`${at}/a`, { range: { start, end } })).rejects.toMatchObject(refusal);
      });
    });

    describe('create-only', () => {
      it('creates a new object and refuses to touch an old one, equal or not', async () => {
        await store.put(`${at}/a`, Buffer.from('first'), { ifAbsent: true });
        for (const body of ['second', 'first']) {
          const again = subject.other.put(`${at}/a`, Buffer.from(body), { ifAbsent: true });
          await expect(again).rejects.toMatchObject({ code: 'STORE_EXISTS' });
        }
        expect((await store.read(`${at}/a`)).toString()).toBe('first');
      });

      it('lets exactly one of many writers win, and the winner knows', async () => {
        const writers = Array.from({ length: 24 }, (_, writer) =>
          (writer % 2 ? store : subject.other)
            .put(`${at}/race`, Buffer.from(`writer ${writer}`), { ifAbsent: true })
            .then(
              () => writer,
              (error: { code: string }) => error.code,
            ),
        );
        const results = await Promise.all(writers);
        const winners = results.filter((result) => typeof result === 'number');
        expect(winners).toHaveLength(1);
        expect(results.filter((result) => result === 'STORE_EXISTS')).toHaveLength(23);
        expect((await store.read(`${at}/race`)).toString()).toBe(`writer ${winners[0]}`);
      });
    });

    describe('upload', () => {
      it('writes objects of every size around the size of a part', async () => {
        const { partSize } = subject;
        for (const size of [0, 1, partSize - 1, partSize, partSize + 1, 3 * partSize, 3 * partSize + 7]) {
          const body = bytes(size);
          const key = `${at}/${size}`;
          expect(await store.upload(key, chunked(body, 777_777), { partSize })).toEqual({ bytes: size });
          expect((await subject.other.read(key)).equals(body)).toBe(true);
          const { stream, length } = await store.open(key);
          expect(length).toBe(size);
          expect((await collect(stream)).equals(body)).toBe(true);
        }
      });

      it('shows nothing and keeps nothing when the source throws, and passes its error on', async () => {
        const failure = new Error('the disk is on fire');
        const source = async function* (): AsyncGenerator<Buffer> {
          yield* chunked(bytes(2 * subject.partSize + 1), 1_000_000);
          throw failure;
        };
        await expect(store.upload(`${at}/a`, source(), { partSize: subject.partSize })).rejects.toBe(failure);
        expect(await store.head(`${at}/a`)).toBeUndefined();
        expect(hasUpkeep(store) && (await store.abortStaleUploads(0))).toBe(0);
      });

      it('ends at once on abort, even while the source is stuck', async () => {
        const abort = new AbortController();
        const source = async function* (): AsyncGenerator<Buffer> {
          yield* chunked(bytes(subject.partSize + 1), 1_000_000);
          abort.abort();
          await new Promise(() => undefined);
        };
        const upload = store.upload(`${at}/a`, source(), { partSize: subject.partSize, signal: abort.signal });
        await expect(upload).rejects.toMatchObject({ code: 'STORE_ABORTED' });
        expect(await store.head(`${at}/a`)).toBeUndefined();
        expect(hasUpkeep(store) && (await store.abortStaleUploads(0))).toBe(0);
      });
    });

    describe('head and delete', () => {
      it('tells size and time', async () => {
        const before = Date.now();
        await store.put(`${at}/a`, Buffer.from('12345'));
        const found = await store.head(`${at}/a`);
        expect(found).toMatchObject({ key: `${at}/a`, size: 5 });
        expect(Math.abs((found?.modifiedAt.getTime() ?? 0) - before)).toBeLessThan(60_000);
        expect(await store.head(`${at}/b`)).toBeUndefined();
      });

      it('removes an object; one that is not there is no error', async () => {
        await store.put(`${at}/a`, Buffer.from('x'));
        await store.delete(`${at}/a`);
        await store.delete(`${at}/a`);
        await store.delete(`${at}/never/was`);
        expect(await store.head(`${at}/a`)).toBeUndefined();
      });
    });

    describe('list', () => {
      // In UTF-8 order, in which JavaScript would put U+FF5E before U+1F986 and `a/` is not beside `a`.
      const names = ['a', 'a!', 'a-b', 'a/1', 'a/2', 'a/b/c', 'a0', 'b/1', 'ａ～', '🦆'];
      const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const list = async (prefix: string, options?: Parameters<ObjectStore['list']>[1]): Promise<string[]> =>
        (await keysOf(store.list(`${at}/${prefix}`, options))).map((key) => key.slice(at.length + 1));
      /** A folder cannot hold a file `a` beside a folder `a`; the files are named apart. */
      const file = (name: string): string => (name === 'a' ? 'a.' : name);
      const expected = sorted.map(file).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

      beforeEach(async () => {
        await Promise.all(names.map((name) => store.put(`${at}/${file(name)}`, Buffer.from(name))));
      });

      it('finds everything in UTF-8 order, with sizes', async () => {
        expect(await list('')).toEqual(expected);
        for await (const { key, size } of store.list(`${at}/`)) expect(size).toBe((await store.read(key)).length);
      });

      it('takes a prefix that is a folder, a part of a name, or nothing that exists', async () => {
        expect(await list('a/')).toEqual(['a/1', 'a/2', 'a/b/c']);
        expect(await list('a')).toEqual(expected.filter((key) => key.startsWith('a')));
        expect(await list('nothing/')).toEqual([]);
        expect(await list('a/b/c')).toEqual(['a/b/c']);
      });

      it('begins after any key, there or not', async () => {
        for (const after of [...expected, 'a/', 'a/b', 'a/1x', '', '!', '🦆🦆']) {
          const rest = expected.filter((key) => Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0);
          expect(await list('', { after: `${at}/${after}` })).toEqual(rest);
        }
      });

      it('leaves out what lies deeper when shallow', async () => {
        expect(await list('', { shallow: true })).toEqual(expected.filter((key) => !key.includes('/')));
        expect(await list('a/', { shallow: true })).toEqual(['a/1', 'a/2']);
        expect(await list('a/', { shallow: true, after: `${at}/a/1` })).toEqual(['a/2']);
      });
    });

    describe('abort', () => {
      it('ends every call with STORE_ABORTED when the signal is aborted already', async () => {
        const { signal } = ((): AbortController => {
          const controller = new AbortController();
          controller.abort();
          return controller;
        })();
        const refusal = { code: 'STORE_ABORTED' };
        await store.put(`${at}/a`, Buffer.from('x'));
        await expect(store.put(`${at}/b`, Buffer.from('x'), { signal })).rejects.toMatchObject(refusal);
        await expect(store.put(`${at}/b`, Buffer.from('x'), { signal, ifAbsent: true })).rejects.toMatchObject(refusal);
        await expect(store.upload(`${at}/b`, chunked(bytes(9), 3), { signal })).rejects.toMatchObject(refusal);
        await expect(store.read(`${at}/a`, { signal })).rejects.toMatchObject(refusal);
        await expect(store.open(`${at}/a`, { signal })).rejects.toMatchObject(refusal);
        await expect(store.head(`${at}/a`, { signal })).rejects.toMatchObject(refusal);
        await expect(store.delete(`${at}/a`, { signal })).rejects.toMatchObject(refusal);
        await expect(keysOf(store.list(`${at}/`, { signal }))).rejects.toMatchObject(refusal);
        expect(await keysOf(store.list(`${at}/`))).toEqual([`${at}/a`]);
      });

      it('ends a stream that is being read', async () => {
        const body = bytes(20 * 1024 * 1024);
        await store.upload(`${at}/a`, chunked(body, 1 << 20));
        const abort = new AbortController();
        const { stream } = await store.open(`${at}/a`, { signal: abort.signal });
        const reading = (async () => {
          for await (const _ of stream) abort.abort();
        })();
        await expect(reading).rejects.toMatchObject({ code: 'STORE_ABORTED' });
      });
    });
  });
}
