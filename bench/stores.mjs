import { CreateBucketCommand, DeleteObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const runFile = promisify(execFile);
const project = join(import.meta.dirname, '..');
const BUCKET = 'eider-bench';

/**
 * Where the contenders put their backups: one store for all of them.
 *
 * @typedef {object} Store
 * @property {string} description
 * @property {{ endpoint: string, accessKeyId: string, secretAccessKey: string, bucket: string } | undefined} s3
 * @property {string | undefined} folder   where there is no S3
 * @property {(prefix: string) => Promise<Map<string, { size: number, version: string }>>} objects   by key; another version
 *   means that the object was written again
 * @property {(prefix: string) => Promise<void>} empty   removes what a contender left under its prefix
 * @property {() => Promise<void>} stop
 */

/**
 * Opens the store that was asked for. `s3` is the server at S3_TEST_ENDPOINT where that is set, else a Ceph RADOS Gateway
 * where its packages are installed, else the S3 double of the tests.
 *
 * @param {'s3' | 'folder'} kind
 * @param {string} folder   for everything the store writes
 * @param {number} bytes   that it must be able to hold
 * @returns {Promise<Store>}
 */
export async function openStore(kind, folder, bytes) {
  if (kind === 'folder') return folderStore(join(folder, 'store'));
  if (process.env.S3_TEST_ENDPOINT !== undefined) {
    return await bucketOf(`the S3 server at ${process.env.S3_TEST_ENDPOINT}`, serverOfEnvironment(process.env));
  }
  return hasCeph() ? await startCeph(join(folder, 'ceph'), bytes) : await startDouble(join(folder, 'objects'));
}

function folderStore(folder) {
  return {
    description: 'a folder on the same disk',
    s3: undefined,
    folder,
    objects: (prefix) => filesIn(join(folder, prefix)),
    empty: (prefix) => rm(join(folder, prefix), { recursive: true, force: true }),
    stop: () => Promise.resolve(),
  };
}

async function filesIn(folder) {
  if (!existsSync(folder)) return new Map();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files = new Map();
  for (const path of paths) {
    const { size, ino, mtimeMs } = await stat(path);
    files.set(path, { size, version: `${ino} ${mtimeMs}` });
  }
  return files;
}

function hasCeph() {
  return ['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd'].every(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0,
  );
}

async function startCeph(folder, bytes) {
  const port = process.env.CEPH_PORT ?? '7780';
  const env = { ...process.env, CEPH_DIR: folder, CEPH_PORT: port, CEPH_SIZE_GB: String(Math.ceil(bytes / 1e9) + 10) };
  const { stdout } = await runFile(join(project, 'test/ceph/start.sh'), { env });
  const settings = Object.fromEntries(
    [...stdout.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  const version = (await runFile('radosgw', ['--version'])).stdout.split(' ').slice(0, 3).join(' ');
  const store = await bucketOf(`RADOS Gateway (${version})`, serverOfEnvironment(settings));
  // Ceph keeps deleted objects for two hours unless it is told to collect them now.
  const collect = ['-c', join(folder, 'ceph.conf'), '-n', 'client.rgw', 'gc', 'process', '--include-all'];
  return {
    ...store,
    empty: async (prefix) => {
      await store.empty(prefix);
      await runFile('radosgw-admin', collect);
    },
    stop: async () => {
      await store.stop();
      await runFile(join(project, 'test/ceph/stop.sh'), { env });
    },
  };
}

async function startDouble(folder) {
  const options = { folder, bucket: BUCKET, rules: { writesPerSecondAndKey: 1000 } };
  return await startServer('the S3 double of the tests', join(project, 'test/support/s3/serve.mjs'), options);
}

/**
 * A store that is elsewhere, as far as this machine can tell (`bench/distant-store.mjs`): it keeps no large object.
 *
 * @param {{ latencyMs: number, bytesPerSecond: number }} line   that leads to it
 * @returns {Promise<Store>}
 */
export async function openDistantStore(line) {
  return await startServer('a store elsewhere', join(import.meta.dirname, 'distant-store.mjs'), line);
}

async function startServer(description, program, options) {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { endpoint, credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' } } = JSON.parse(line);
  const store = await bucketOf(description, { endpoint, ...credentials });
  return {
    ...store,
    stop: async () => {
      await store.stop();
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

function serverOfEnvironment(env) {
  const { S3_TEST_ENDPOINT: endpoint, S3_TEST_ACCESS_KEY_ID, S3_TEST_SECRET_ACCESS_KEY } = env;
  return { endpoint, accessKeyId: S3_TEST_ACCESS_KEY_ID ?? '', secretAccessKey: S3_TEST_SECRET_ACCESS_KEY ?? '' };
}

async function bucketOf(description, { endpoint, accessKeyId, secretAccessKey }) {
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  // Exists already where the server was used before.
  await client.send(new CreateBucketCommand({ Bucket: BUCKET })).catch(() => undefined);
  const list = async (prefix) => {
    const found = [];
    const pages = paginateListObjectsV2({ client }, { Bucket: BUCKET, Prefix: `${prefix}/` });
    for await (const page of pages) found.push(...(page.Contents ?? []));
    return found;
  };
  return {
    description,
    s3: { endpoint, accessKeyId, secretAccessKey, bucket: BUCKET },
    folder: undefined,
    objects: async (prefix) => {
      const version = ({ ETag, LastModified }) => `${ETag} ${LastModified.toISOString()}`;
      return new Map((await list(prefix)).map((found) => [found.Key, { size: found.Size, version: version(found) }]));
    },
    empty: async (prefix) => {
      for (const { Key } of await list(prefix)) await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }));
    },
    stop: () => Promise.resolve(client.destroy()),
  };
}
