import { createHash } from 'node:crypto';

/** What goes out with a body so that the store refuses one that was damaged on the way. */
export interface PartDigest {
  /** In base64, for Content-MD5: every S3 checks it, R2 too. */
  readonly md5: string;
  /** In hex, for the signature. */
  readonly sha256: string;
}

/** Hashes a part of an upload, off the main thread where it can. */
export type DigestPart = (part: Buffer) => Promise<PartDigest>;

/** Hashes on the thread that asks. */
export function digestHere(part: Uint8Array): PartDigest {
  return {
    md5: createHash('md5').update(part).digest('base64'),
    sha256: createHash('sha256').update(part).digest('hex'),
  };
}

/** Below this a part is hashed in less time than it takes to wake another thread, bytes. */
const WORTH_A_THREAD = 256 * 1024;

/**
 * Hashes parts on other threads: both hashes of 16 MiB would hold commits and requests up for 50 ms.
 *
 * @param elsewhere - hashes the first `length` bytes of shared memory
 */
export function digestElsewhere(
  elsewhere: (bytes: SharedArrayBuffer, length: number) => Promise<PartDigest>,
): DigestPart {
  return async (part) => {
    const { buffer, byteOffset, byteLength } = part;
    const shared = buffer instanceof SharedArrayBuffer && byteOffset === 0;
    return shared && byteLength >= WORTH_A_THREAD ? await elsewhere(buffer, byteLength) : digestHere(part);
  };
}
