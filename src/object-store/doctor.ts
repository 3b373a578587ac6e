import { randomUUID } from 'node:crypto';
import type { ErrorCode } from '../errors/catalogue.js';
import { EiderError, isEiderError, messageOf } from '../errors/eider-error.js';
import type { ObjectStore, RequestOptions } from './object-store.js';
import { S3ObjectStore } from './s3/s3-object-store.js';

/** Folder of the keys that an examination makes; nothing else is ever written there. */
export const DOCTOR_PREFIX = 'doctor/';
/** Clocks that differ by more than this are worth a word, ms: backups are named, and points in time found, by the clock. */
const NOTABLE_SKEW = 60_000;
/** Smallest part that every S3 takes, bytes. Two and a bit of them make a multipart upload. */
const PART = 5 * 1024 * 1024;

export type CheckName =
  'reach and list' | 'write' | 'read back' | 'read a range' | 'create only' | 'multipart upload' | 'delete' | 'clock';

/** The finding of one check. */
export interface Check {
  readonly name: CheckName;
  /** `warning`: Eider works, without something that the sentence names. `skipped`: an earlier failure left nothing to try. */
  readonly result: 'ok' | 'warning' | 'failed' | 'skipped';
  /** For people: what was found. */
  readonly finding: string;
  readonly code?: ErrorCode;
  /** What to do, where something is wrong. */
  readonly advice?: string;
  readonly durationMs: number;
}

export interface Examination {
  readonly store: string;
  /** No check failed. */
  readonly usable: boolean;
  readonly checks: readonly Check[];
}

type Finding = Pick<Check, 'result' | 'finding'> & Partial<Pick<Check, 'advice'>>;

const ok = (finding: string): Finding => ({ result: 'ok', finding });

/**
 * Tries everything that Eider needs of a store, under keys of its own that it removes again. About a dozen requests and
 * 10 MiB. Teaches an S3 adapter whether its store honours create-only writes. Never throws.
 */
export async function examineStore(store: ObjectStore, options: RequestOptions = {}): Promise<Examination> {
  const examiner = new Examiner(store, options);
  const checks = await examiner.run();
  return { store: store.description, usable: checks.every(({ result }) => result !== 'failed'), checks };
}

class Examiner {
  private readonly key = `${DOCTOR_PREFIX}${randomUUID()}`;
  private readonly body = Buffer.from(`Eider was here: ${this.key}\n`);
  private readonly made = new Set<string>();
  private readonly checks: Check[] = [];

  constructor(
    private readonly store: ObjectStore,
    private readonly options: RequestOptions,
  ) {}

  async run(): Promise<readonly Check[]> {
    await this.check('reach and list', () => this.list());
    const written = await this.check('write', () => this.write());
    await this.check('read back', () => this.readBack(), written);
    await this.check('read a range', () => this.readRange(), written);
    await this.check('create only', () => this.createOnly(), written);
    const { store } = this;
    if (store instanceof S3ObjectStore) await this.check('multipart upload', () => this.upload(), written);
    await this.check('delete', () => this.remove(), written);
    if (store instanceof S3ObjectStore) await this.check('clock', () => clock(store.clockSkewMs));
    return this.checks;
  }

  /** Runs one check and notes what it found; true unless it failed. */
  private async check(name: CheckName, examine: () => Promise<Finding> | Finding, possible = true): Promise<boolean> {
    const begun = performance.now();
    const found = possible
      ? await Promise.resolve().then(examine).catch(failure)
      : { result: 'skipped' as const, finding: 'nothing could be written' };
    this.checks.push({ name, ...found, durationMs: Math.round(performance.now() - begun) });
    return found.result !== 'failed' && found.result !== 'skipped';
  }

  private async list(): Promise<Finding> {
    for await (const _ of this.store.list(DOCTOR_PREFIX, { ...this.options, shallow: true })) break;
    return ok('the store answers and can be listed');
  }

  private async write(): Promise<Finding> {
    this.made.add(this.key);
    await this.store.put(this.key, this.body, { ...this.options, ifAbsent: true });
    return ok('objects can be written');
  }

  private async readBack(): Promise<Finding> {
    const found = await this.store.read(this.key, this.options);
    const size = (await this.store.head(this.key, this.options))?.size;
    if (!found.equals(this.body) || size !== this.body.length) throw corrupt('other bytes came back than were written');
    return ok('what was written came back');
  }

  private async readRange(): Promise<Finding> {
    const range = { start: 6, end: 9 };
    const found = await this.store.read(this.key, { ...this.options, range });
    if (!found.equals(this.body.subarray(6, 9))) throw corrupt('a ranged read gave other bytes than were asked for');
    return ok('parts of objects can be read');
  }

  private async createOnly(): Promise<Finding> {
    try {
      await this.store.put(this.key, Buffer.from('a second writer'), { ...this.options, ifAbsent: true });
    } catch (error) {
      if (!isEiderError(error, 'STORE_EXISTS')) throw error;
      const emulated = this.store instanceof S3ObjectStore && this.store.conditionalWrites === 'no';
      return emulated ? unfenced('does not know create-only writes') : ok('a second create of a key is refused');
    }
    if (this.store instanceof S3ObjectStore) this.store.recordConditionalWrites('no');
    return unfenced('overwrote an object that was to be created only');
  }

  private async upload(): Promise<Finding> {
    const key = `${this.key}.parts`;
    this.made.add(key);
    const chunk = Buffer.alloc(PART, 'eider');
    const source = async function* (): AsyncGenerator<Buffer> {
      yield await Promise.resolve(chunk);
      yield chunk.subarray(0, 1000);
    };
    const { bytes } = await this.store.upload(key, source(), { ...this.options, partSize: PART });
    const tail = await this.store.read(key, { ...this.options, range: { start: PART - 1, end: bytes } });
    if (!tail.equals(Buffer.concat([chunk.subarray(-1), chunk.subarray(0, 1000)]))) throw corrupt('its end is wrong');
    return ok('large objects can be written in parts');
  }

  private async remove(): Promise<Finding> {
    try {
      for (const key of this.made) await this.store.delete(key, this.options);
    } catch (error) {
      if (!isEiderError(error, 'STORE_DENIED')) throw error;
      return {
        result: 'warning',
        finding: `these credentials may not delete: ${messageOf(error)}`,
        advice: `Backups work; old ones are kept until someone else removes them, and so is ${DOCTOR_PREFIX}.`,
      };
    }
    const left = await this.store.head(this.key, this.options);
    if (left !== undefined) throw corrupt('an object is still there after it was deleted');
    return ok('objects can be deleted');
  }
}

function unfenced(what: string): Finding {
  return {
    result: 'warning',
    finding: `the store ${what}: two writers cannot be kept apart`,
    advice: 'Backups work. Make sure yourself that only one process writes to this repository.',
  };
}

function clock(skew: number | undefined): Finding {
  if (skew === undefined) return { result: 'skipped', finding: 'the store did not tell its time' };
  const seconds = Math.round(Math.abs(skew) / 1000);
  if (Math.abs(skew) < NOTABLE_SKEW) return ok(`this machine's clock and the store's agree to ${seconds + 1} s`);
  return {
    result: 'warning',
    finding: `this machine's clock is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} the store's`,
    advice: 'Set the clock (NTP): backups are named, kept and found by time, and from 15 minutes on the store refuses.',
  };
}

function corrupt(finding: string): EiderError {
  return new EiderError('STORE_CORRUPT', finding);
}

function failure(error: unknown): Finding & Pick<Check, 'code'> {
  if (!isEiderError(error)) return { result: 'failed', finding: messageOf(error), code: 'INTERNAL' };
  return { result: 'failed', finding: error.message, code: error.code, advice: error.advice };
}

/**
 * The cheapest honest answer to "could a backup be written now": one tiny object, written and removed. One class A
 * request; deletes are free. Throws what the write threw.
 *
 * The key is always the same, so that nothing piles up where the credentials may not delete; where it cannot be
 * replaced, because a lock keeps every object as it is, a new one decides.
 */
export async function checkWritable(store: ObjectStore, options: RequestOptions = {}): Promise<void> {
  const body = Buffer.from('writable?\n');
  let key = `${DOCTOR_PREFIX}writable`;
  try {
    await store.put(key, body, options);
  } catch (error) {
    if (!isEiderError(error, 'STORE_DENIED')) throw error;
    key = `${DOCTOR_PREFIX}${randomUUID()}`;
    await store.put(key, body, options);
  }
  await store.delete(key, options).catch((error: unknown) => {
    if (!isEiderError(error, 'STORE_DENIED')) throw error;
  });
}
