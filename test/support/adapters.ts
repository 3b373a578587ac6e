import { ownBucket } from './real-bucket.js';
import { S3Double } from './s3/s3-double.js';
import { S3Passage } from './s3/s3-passage.js';
import type { S3Server } from './s3/s3-server.js';

/** What a repository is in: a folder, a bucket of the S3 double, or one of a real S3 server. */
export type Adapter = 'folder' | 'bucket' | 'real bucket';

/** What TEST_STORE may name, and what the suites that must hold with every store are run with then. */
const CHOICES: Readonly<Record<string, readonly Adapter[]>> = {
  folder: ['folder'],
  double: ['bucket'],
  external: ['real bucket'],
};

/** The stores that suites are run with: the folder and the double, unless TEST_STORE names another one. */
export const ADAPTERS: readonly Adapter[] = chosen(process.env['TEST_STORE']);

/** The store of suites that are run with one: a folder, unless TEST_STORE names another one. */
export const [ANY_ADAPTER = 'folder']: readonly Adapter[] = ADAPTERS;

/** The bucket of suites that disturb its requests or count them. */
export const BUCKET: Adapter = ADAPTERS.find((adapter) => adapter !== 'folder') ?? 'bucket';

/** A server with a new bucket, on which requests can be disturbed; there is none in front of a folder. */
export async function serverOf(adapter: Adapter): Promise<S3Server | undefined> {
  switch (adapter) {
    case 'folder':
      return undefined;
    case 'bucket':
      return S3Double.start();
    case 'real bucket':
      return S3Passage.start(await ownBucket());
  }
}

function chosen(name: string | undefined): readonly Adapter[] {
  if (name === undefined) return ['folder', 'bucket'];
  const adapters = CHOICES[name];
  if (adapters === undefined) throw new Error(`TEST_STORE is ${name}, not one of ${Object.keys(CHOICES).join(', ')}`);
  return adapters;
}
