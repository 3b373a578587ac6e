import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { BucketConfig } from '../../../src/config/store.config.js';
import type { EiderError } from '../../../src/errors/eider-error.js';
import type { S3ObjectStore } from '../../../src/object-store/s3/s3-object-store.js';
import { S3Double } from '../../support/s3/s3-double.js';
import { openBucket } from './bucket.js';
import { keysOf } from './contract.js';

describe('what the S3 adapter tells the operator', () => {
  let s3: S3Double;
  const stores: S3ObjectStore[] = [];

  beforeEach(async () => {
    s3 = await S3Double.start();
  });
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    await s3.stop();
  });
  const open = (overrides: Partial<BucketConfig> = {}): S3ObjectStore => {
    const store = openBucket(s3, { maxAttempts: 2, ...overrides });
    stores.push(store);
    return store;
  };
  const errorOf = async (work: Promise<unknown>): Promise<EiderError> =>
    (await work.then(() => undefined).catch((error: unknown) => error)) as EiderError;

  /** The code that each way to ask gives; HEAD has no body to explain itself. */
  const codes = async (store: S3ObjectStore): Promise<string[]> => {
    const asked = [store.read('a'), store.head('a'), keysOf(store.list('')), store.put('a', Buffer.from('x'))];
    return Promise.all(asked.map(async (work) => (await errorOf(work)).code));
  };
  const four = (code: string): string[] => [code, code, code, code];

  it('a wrong secret, a wrong key id', async () => {
    expect(await codes(open({ secretAccessKey: 'wrong' }))).toEqual(four('STORE_DENIED'));
    expect(await codes(open({ accessKeyId: 'wrong' }))).toEqual(four('STORE_DENIED'));
  });

  it('a missing bucket', async () => {
    expect(await codes(open({ bucket: 'not-there' }))).toEqual(four('STORE_BUCKET_MISSING'));
  });

  it.each([16, -16])('a clock that is %d minutes off, whatever the request', async (minutes) => {
    s3.clockOffsetMs = minutes * 60_000;
    expect(await codes(open())).toEqual(four('STORE_CLOCK_SKEW'));
    const error = await errorOf(open().read('a'));
    expect(error.message).toMatch(new RegExp(`clock is 9[56]\\d s ${minutes > 0 ? 'behind' : 'ahead'}`));
  });

  it('a clock that is a little off, without failing', async () => {
    s3.clockOffsetMs = 10 * 60_000;
    const store = open();
    await store.put('a', Buffer.from('x'));
    expect(Math.round((store.clockSkewMs ?? 0) / 60_000)).toBe(-10);
  });

  it('a port where nothing listens', async () => {
    await s3.goDown();
    expect(await codes(open())).toEqual(four('STORE_UNAVAILABLE'));
    expect((await errorOf(open().read('a'))).message).toContain('ECONNREFUSED');
  });

  it('a host that does not exist', async () => {
    const error = await errorOf(open({ endpoint: 'http://nowhere.invalid' }).read('a'));
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(error.message).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  it('https where only http is spoken, without trying again', async () => {
    const error = await errorOf(open({ endpoint: s3.endpoint.replace('http:', 'https:') }).read('a'));
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', details: { attempts: 1 } });
    expect(error.message).toContain('TLS');
  });

  it.each([200, 403, 404])('a web server that answers %d: never "nothing there", never "written"', async (status) => {
    s3.faults.add({ kind: 'web-page', status }, {}, { times: Infinity });
    expect(await codes(open())).toEqual(four('STORE_FAILED'));
    expect((await errorOf(open().read('a'))).message).toContain('R2_ENDPOINT');
  });

  it('a server that hangs up, and one that speaks no HTTP', async () => {
    for (const reply of ['', 'SSH-2.0-OpenSSH_9.2\r\n']) {
      const server: Server = createServer((socket) => socket.on('error', () => undefined).end(reply));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect(await codes(open({ endpoint }))).toEqual(four('STORE_UNAVAILABLE'));
      server.close();
    }
  });

  it.each([
    [429, undefined, 'STORE_THROTTLED'],
    [503, 'SlowDown', 'STORE_THROTTLED'],
    [500, 'InternalError', 'STORE_UNAVAILABLE'],
    [504, undefined, 'STORE_UNAVAILABLE'],
    [507, undefined, 'STORE_NO_SPACE'],
    [403, 'QuotaExceeded', 'STORE_NO_SPACE'],
    [403, 'AccessDenied', 'STORE_DENIED'],
    [401, 'Unauthorized', 'STORE_DENIED'],
    [400, 'InvalidArgument', 'STORE_FAILED'],
    [501, 'NotImplemented', 'STORE_FAILED'],
    [307, 'TemporaryRedirect', 'STORE_FAILED'],
    [400, 'XAmzContentSHA256Mismatch', 'STORE_FAILED'],
  ])('the answer %d %s is %s', async (status, code, expected) => {
    s3.faults.failAlways(status, {}, code);
    expect((await errorOf(open().put('a', Buffer.from('x')))).code).toBe(expected);
  });

  it('repeats a write whose body was damaged on the way', async () => {
    s3.faults.failNth(1, 400, {}, 'XAmzContentSHA256Mismatch');
    s3.faults.failNth(1, 400, {}, 'BadDigest');
    const store = open({ maxAttempts: 3 });
    await store.put('a', Buffer.from('x'));
    expect(s3.objects.get('backups/a')?.toString()).toBe('x');
  });

  it('a delete that the credentials do not allow', async () => {
    s3.denyDeletes = true;
    expect((await errorOf(open().delete('a'))).code).toBe('STORE_DENIED');
  });

  it('names bucket, endpoint and key, and no secret anywhere in the error', async () => {
    for (const overrides of [{ secretAccessKey: 'top-secret-key' }, { accessKeyId: 'very-secret-id' }]) {
      const error = await errorOf(open(overrides).read('some/key'));
      expect(error.message).toContain(s3.bucket);
      expect(error.message).toContain(s3.endpoint);
      expect(error.message).toContain('some/key');
      const everything = JSON.stringify([error.message, error.stack, error.cause, error.details]);
      expect(everything).not.toMatch(/top-secret-key|very-secret-id|double-access-key|double-secret-key/);
    }
    expect(open().description).toBe(`s3://eider-test/backups/ at ${s3.endpoint}`);
  });
});
