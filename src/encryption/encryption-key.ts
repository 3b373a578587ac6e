import { createHash, randomBytes } from 'node:crypto';

/** Bytes of a key of AES-256. */
const KEY_BYTES = 32;

/** Says that what is hashed is a key's id: nothing else that is derived from the key can be equal to it. */
const ID_CONTEXT = 'eider key id';

/** One key. Its bytes are shown by no log and no JSON: they are no property that can be listed. */
export class EncryptionKey {
  /** First 16 hex digits of SHA-256("eider key id" || key): names the key in manifests and tells nothing of it. */
  readonly id: string;
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    // Memory of its own: what is handed to a worker thread is copied with all that lies in the same memory.
    this.#bytes = Uint8Array.from(bytes);
    this.id = createHash('sha256').update(ID_CONTEXT).update(bytes).digest('hex').slice(0, 16);
  }

  /** A new random key. */
  static generate(): EncryptionKey {
    return new EncryptionKey(randomBytes(KEY_BYTES));
  }

  /**
   * The key that a text stands for; undefined where it is not exactly 32 bytes in base64, with its padding. A last
   * character with surplus bits is refused, too: it is a slip of the pen, and the text would not be what a copy of it says.
   */
  static parse(text: string): EncryptionKey | undefined {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== text) return undefined;
    return new EncryptionKey(bytes);
  }

  /** For ciphers alone. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The key itself, to be written into a key file or shown to whoever asked for a new one. Never logged. */
  toBase64(): string {
    return Buffer.from(this.#bytes).toString('base64');
  }
}
