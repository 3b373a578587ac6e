import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const project = join(import.meta.dirname, '..');

/**
 * A tool that backs a database up and brings it back. Commands are given as the user would type them.
 *
 * @typedef {object} Place
 * @property {string} database   the file to back up
 * @property {string} restored   where it must be afterwards; does not exist
 * @property {string} folder     for temporary files
 * @property {string} prefix     of everything in the store
 * @property {import('./stores.mjs').Store} store
 *
 * @typedef {object} Contender
 * @property {string} name
 * @property {string} about   what it does, for the results
 * @property {string | undefined} tool   that must be installed
 * @property {boolean} needsS3
 * @property {(place: Place) => Record<string, string>} env
 * @property {((place: Place) => Record<string, string>) | undefined} restoreEnv   where it is another one
 * @property {((place: Place) => string[]) | undefined} prepare   not timed
 * @property {(place: Place) => string[]} backup
 * @property {(place: Place) => string[]} restore
 * @property {((place: Place, machine: string) => InPlace) | undefined} inPlace   a restore on a machine, which is a folder, that
 *   has the file already, in this state or another
 * @property {((output: string) => string[]) | undefined} verify   checks the backup that wrote this output; not timed
 * @property {((output: string) => number) | undefined} inside   seconds of that backup, without the start of its process
 * @property {string | undefined} repository   the name of the contender whose backups it builds on, where these are not its own
 *
 * @typedef {object} InPlace
 * @property {string} file   where the tool restores the database to
 * @property {Record<string, string>} env
 * @property {string[]} command
 * @property {((output: string) => { inside: number, fetched: number, blocks: number, localBlocks: number }) | undefined} report
 */

const shell = (script) => ['sh', '-ec', script];
const cli = (...words) => [process.execPath, join(project, 'dist/cli.js'), ...words, '--json'];
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
/** Other tools leave the file to the page cache; a restore is over when the file would survive a power cut. */
const flushed = ({ restored }, command) => shell(`${command}\nsync ${quote(restored)}`);

/** @type {Contender} */
const eider = {
  name: 'eider',
  about: 'hashes every block, zstd; the restore checks every hash, opens the file and reads every table',
  needsS3: false,
  env: (place) => eiderEnvironment(place),
  restoreEnv: (place) => eiderEnvironment(elsewhere(place)),
  backup: () => cli('backup'),
  restore: ({ restored }) => cli('restore', '--to', restored),
  inPlace: (place, machine) => inPlaceOfEider(eiderEnvironment(atHome(place, machine))),
  verify: (output) => cli('verify', JSON.parse(output).name),
  inside: (output) => JSON.parse(output).durations.totalMs / 1000,
};

/** @type {Contender} */
export const eiderUnopened = {
  ...eider,
  name: 'eider-unopened',
  about: 'the same with R2_VALIDATE_DOWNLOADS=false: hashes are checked, the file is not opened',
  env: (place) => unopened(place),
  restoreEnv: (place) => unopened(elsewhere(place)),
  inPlace: (place, machine) => inPlaceOfEider(unopened(atHome(place, machine))),
};

/** Not one of those that compete: it takes no backup of a file that has not changed, and is measured with nothing else. */
export const eiderIfChanged = {
  ...eider,
  name: 'eider --if-changed',
  about: 'takes a backup only where something was committed since the newest one',
  // What is beside the database belongs to one repository.
  repository: eider.name,
  backup: () => cli('backup', '--if-changed'),
  verify: (output) => {
    if (JSON.parse(output).unchanged !== true) throw new Error('a backup of an unchanged file was taken');
    return eider.verify(output);
  },
  inside: undefined,
};

function atHome(place, machine) {
  return { ...place, database: join(machine, 'in-place.duckdb') };
}

function inPlaceOfEider(env) {
  const report = (output) => {
    const { durationMs, fetchedBytes, blocks, localBlocks } = JSON.parse(output);
    return { inside: durationMs / 1000, fetched: fetchedBytes, blocks, localBlocks };
  };
  return { file: env.DUCKDB_PATH, env, command: cli('restore'), report };
}

function unopened(place) {
  return { ...eiderEnvironment(place), R2_VALIDATE_DOWNLOADS: 'false' };
}

/** Eider would copy from the database what it holds; a full restore is one without it. */
function elsewhere(place) {
  return { ...place, database: join(place.folder, 'nowhere', 'bench.duckdb') };
}

/** What the process needs to back up `place.database` into the store. */
export function eiderEnvironment({ database, prefix, store }) {
  const common = {
    DUCKDB_PATH: database,
    R2_BACKUP_PATH: `${prefix}/`,
    NODE_ENV: 'development',
    SEED_DATABASE: 'false',
  };
  if (store.s3 === undefined) return { ...common, R2_SYNC_ENABLED: 'false', BACKUP_LOCAL_DIR: store.folder };
  const { endpoint, accessKeyId, secretAccessKey, bucket } = store.s3;
  return {
    ...common,
    R2_SYNC_ENABLED: 'true',
    R2_ENDPOINT: endpoint,
    R2_REGION: 'us-east-1',
    R2_ACCESS_KEY_ID: accessKeyId,
    R2_SECRET_ACCESS_KEY: secretAccessKey,
    R2_BUCKET_NAME: bucket,
  };
}

/** @type {Contender} */
const olderWay = {
  name: 'gzip + PUT',
  about: 'the older way: gzip the whole file to the disk, one PUT; download, gunzip',
  tool: 'curl',
  needsS3: false,
  env: () => ({}),
  backup: (place) => {
    const packed = quote(join(place.folder, 'whole.gz'));
    const pack = `gzip -c ${quote(place.database)} > ${packed}`;
    const remove = `rm ${packed}`;
    if (place.store.s3 === undefined) {
      const { folder } = place.store;
      return shell(
        `mkdir -p ${quote(join(folder, place.prefix))}\n${pack}\ncp ${packed} ${quote(join(folder, place.prefix, 'whole.gz'))}\n${remove}`,
      );
    }
    return shell(`${pack}\n${curl(place.store.s3)} --upload-file ${packed} ${objectUrl(place, 'whole.gz')}\n${remove}`);
  },
  restore: (place) => {
    const target = quote(place.restored);
    if (place.store.s3 === undefined) {
      return flushed(place, `gunzip -c ${quote(join(place.store.folder, place.prefix, 'whole.gz'))} > ${target}`);
    }
    const packed = quote(join(place.folder, 'whole.gz'));
    const fetch = `${curl(place.store.s3)} --output ${packed} ${objectUrl(place, 'whole.gz')}`;
    return flushed(place, `${fetch}\ngunzip -c ${packed} > ${target}\nrm ${packed}`);
  },
};

function curl({ accessKeyId, secretAccessKey }) {
  const signature = "--aws-sigv4 aws:amz:us-east-1:s3 --header 'x-amz-content-sha256: UNSIGNED-PAYLOAD'";
  return `curl --silent --show-error --fail ${signature} --user ${quote(`${accessKeyId}:${secretAccessKey}`)}`;
}

function objectUrl({ store, prefix }, name) {
  return quote(`${store.s3.endpoint}/${store.s3.bucket}/${prefix}/${name}`);
}

/** @type {Contender} */
const restic = {
  name: 'restic',
  about: 'content-defined chunks, zstd, encrypted',
  tool: 'restic',
  needsS3: false,
  env: ({ store, folder, prefix }) => ({
    RESTIC_PASSWORD: 'bench',
    RESTIC_CACHE_DIR: join(folder, 'restic-cache'),
    RESTIC_REPOSITORY:
      store.s3 === undefined ? join(store.folder, prefix) : `s3:${store.s3.endpoint}/${store.s3.bucket}/${prefix}`,
    AWS_ACCESS_KEY_ID: store.s3?.accessKeyId ?? '',
    AWS_SECRET_ACCESS_KEY: store.s3?.secretAccessKey ?? '',
  }),
  prepare: () => ['restic', 'init', '--quiet'],
  backup: ({ database }) => ['restic', 'backup', '--quiet', database],
  restore: (place) => {
    const target = quote(join(place.folder, 'restic-out'));
    const restored = quote(join(place.folder, 'restic-out', place.database));
    return flushed(place, `restic restore latest --quiet --target ${target}\nmv ${restored} ${quote(place.restored)}`);
  },
  inPlace: (place, machine) => {
    const file = join(machine, place.database);
    const command = flushed({ restored: file }, `restic restore latest --quiet --target ${quote(machine)}`);
    return { file, env: restic.env(place), command };
  },
};

/** @type {Contender} */
const rclone = {
  name: 'rclone',
  about: 'copies the file as it is',
  tool: 'rclone',
  needsS3: false,
  env: ({ store }) => ({
    RCLONE_CONFIG: '/dev/null',
    // Where this is set, rclone 1.60 refuses to work.
    AWS_CA_BUNDLE: '',
    RCLONE_CONFIG_BENCH_TYPE: store.s3 === undefined ? 'local' : 's3',
    RCLONE_CONFIG_BENCH_PROVIDER: 'Ceph',
    RCLONE_CONFIG_BENCH_ENDPOINT: store.s3?.endpoint ?? '',
    RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: store.s3?.accessKeyId ?? '',
    RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: store.s3?.secretAccessKey ?? '',
  }),
  backup: (place) => ['rclone', 'copyto', place.database, `bench:${rclonePath(place)}`],
  restore: (place) => flushed(place, `rclone copyto ${quote(`bench:${rclonePath(place)}`)} ${quote(place.restored)}`),
  // By size and time alone it would take a damaged file for the same one.
  inPlace: (place, machine) => {
    const file = join(machine, 'in-place.duckdb');
    const copy = `rclone copyto --checksum ${quote(`bench:${rclonePath(place)}`)} ${quote(file)}`;
    return { file, env: rclone.env(place), command: flushed({ restored: file }, copy) };
  },
};

function rclonePath({ store, prefix }) {
  return `${store.s3 === undefined ? store.folder : store.s3.bucket}/${prefix}/whole.duckdb`;
}

/** @type {Contender} */
const awsCli = {
  name: 'aws s3 cp',
  about: 'copies the file as it is',
  tool: 'aws',
  needsS3: true,
  env: ({ store }) => ({
    AWS_ACCESS_KEY_ID: store.s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: store.s3.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  }),
  backup: (place) => aws(place, place.database, objectAddress(place)),
  restore: (place) => flushed(place, aws(place, objectAddress(place), place.restored).map(quote).join(' ')),
};

function aws({ store }, from, to) {
  return ['aws', '--endpoint-url', store.s3.endpoint, 's3', 'cp', '--only-show-errors', from, to];
}

function objectAddress({ store, prefix }) {
  return `s3://${store.s3.bucket}/${prefix}/whole.duckdb`;
}

const ALL = [eider, eiderUnopened, olderWay, restic, rclone, awsCli];

/**
 * The contenders that can run here: Eider always, the others where they are installed and wanted.
 *
 * @param {readonly string[] | undefined} peers   names, or the first word of them; undefined for all
 */
export function contenders(peers, store) {
  return ALL.filter(({ name, tool, needsS3 }) => {
    if (needsS3 && store.s3 === undefined) return false;
    if (tool !== undefined && spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return false;
    return name === 'eider' || peers === undefined || peers.includes(name.split(' ')[0]);
  });
}
