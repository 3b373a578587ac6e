import { formatBackupName } from '../../src/repository/backup-name.js';
import { extentKey, manifestKey, noteKey } from '../../src/repository/keys.js';
import { encodeManifest } from '../../src/repository/manifest.js';
import { encodeNote } from '../../src/repository/note.js';
import { encodeRepositoryRecord } from '../../src/repository/repository-record.js';
import { aManifest } from './manifests.js';

const EVERY_MS = 30 * 60_000;
const BODY = Buffer.from('anything');

/**
 * The objects of a repository with that many backups, one each half an hour up to `last`, with packs and tables of their own:
 * real manifests, and packs that nobody reads. Every twentieth backup has a note, every tenth is the base of the nine after it.
 */
export function* manyBackups(count: number, last: Date): Generator<{ key: string; body: Buffer }> {
  yield { key: 'repository.json', body: encodeRepositoryRecord('test', 'hesocial-backup', last) };
  const nameOf = (index: number): string => {
    const time = new Date(last.getTime() - (count - 1 - index) * EVERY_MS);
    return formatBackupName({ stem: 'hesocial-backup', time, ordinal: 1 });
  };
  for (let index = 0; index < count; index++) {
    const name = nameOf(index);
    const full = nameOf(index - (index % 10));
    const sha256 = index.toString(16).padStart(64, '0');
    const own = name === full ? `${name}.duckdb.zst` : `${name}.blocks.zst`;
    const packs = [...new Set([own, `${full}.duckdb.zst`])].map((key) => ({ key, length: BODY.length }));
    const extents = [{ key: extentKey(sha256, false), sha256, first: 0, count: 1 }];
    const createdAt = new Date(last.getTime() - (count - 1 - index) * EVERY_MS).toISOString();
    yield { key: manifestKey(name), body: encodeManifest(aManifest(name, { packs, extents, createdAt })) };
    yield { key: own, body: BODY };
    yield { key: extentKey(sha256, false), body: BODY };
    if (index % 20 === 0)
      yield { key: noteKey(name), body: encodeNote({ label: null, pinned: false, verified: null }) };
  }
}
