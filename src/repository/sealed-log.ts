import { logPlace } from '../encryption/places.js';
import { seal, SEAL_OVERHEAD, unseal } from '../encryption/seal.js';
import { type Codec, mostEncoded } from '../block-pool/codec.js';

/** Bytes of the log that become one frame. */
export const LOG_CHUNK = 256 * 1024;

/** Bytes of the length before each part: an unsigned integer, most significant byte first. */
const LENGTH_BYTES = 4;
const LONGEST = mostEncoded(LOG_CHUNK) + SEAL_OVERHEAD;

/** Where a part of a log stands. */
interface LogPart {
  /** Of the whole log, in the store. */
  readonly log: string;
  readonly index: number;
  readonly isLast: boolean;
}

/** One part of an encrypted log as it is stored: its length, then the sealed frame. */
export function sealLogPart(key: Uint8Array, { log, index, isLast }: LogPart, frame: Uint8Array): Buffer {
  const sealed = seal(key, logPlace(log, index, isLast), frame);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(sealed.length);
  return Buffer.concat([length, sealed]);
}

/**
 * The content of an encrypted log, part by part. Only the last part may come last, and nothing after it; a part is known to be
 * the last one when the stored bytes end with it.
 *
 * @throws Error where a part is missing, cut, exchanged, or not what was sealed
 */
export async function* openLog(
  stored: AsyncIterable<Uint8Array>,
  key: Uint8Array,
  log: string,
  codec: Codec,
): AsyncGenerator<Uint8Array, void, void> {
  let index = 0;
  const opened = (sealed: Uint8Array, isLast: boolean): Uint8Array =>
    codec.decode(unseal(key, logPlace(log, index++, isLast), sealed));
  let waiting: Uint8Array | undefined;
  for await (const sealed of partsOf(stored)) {
    if (waiting !== undefined) yield opened(waiting, false);
    waiting = sealed;
  }
  if (waiting === undefined) throw new Error('it is empty');
  yield opened(waiting, true);
}

/** Cuts the stored bytes into sealed parts. */
async function* partsOf(stored: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let chunks: Uint8Array[] = [];
  let have = 0;
  let need = LENGTH_BYTES;
  let inPart = false;
  for await (const chunk of stored) {
    chunks.push(chunk);
    have += chunk.byteLength;
    while (have >= need) {
      // One chunk can hold many parts: it is not copied for each.
      const bytes = asBuffer(chunks);
      const taken = bytes.subarray(0, need);
      chunks = [bytes.subarray(need)];
      have -= need;
      if (inPart) yield taken;
      need = inPart ? LENGTH_BYTES : lengthOf(taken);
      inPart = !inPart;
    }
  }
  if (have > 0 || inPart) throw new Error('it ends in the middle of a part');
}

function asBuffer(chunks: readonly Uint8Array[]): Buffer {
  const [only] = chunks;
  if (only === undefined || chunks.length > 1) return Buffer.concat(chunks);
  return Buffer.from(only.buffer, only.byteOffset, only.byteLength);
}

function lengthOf(prefix: Buffer): number {
  const length = prefix.readUInt32BE();
  if (length < SEAL_OVERHEAD || length > LONGEST) throw new Error('the length of a part is not possible');
  return length;
}
