import type { Compression } from './codec.js';

/** A run of bytes in a file. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** The key and the pack of frames that are sealed: with the number of the block, a frame's place. */
export interface FrameSeal {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Key of the pack in the store. */
  readonly pack: string;
}

/** Reads ranges of an open file, hashes each and stores each as one frame. */
export interface EncodeTask {
  readonly kind: 'encode';
  readonly descriptor: number;
  readonly ranges: readonly FileRange[];
  readonly compression: Compression;
  /** Receives all frames, in order, nothing between them: memory that both threads see. */
  readonly target: SharedArrayBuffer;
  /** SHA-256 of each range as the repository has it already; ranges that still match give no frame. */
  readonly known?: readonly (string | undefined)[];
  /** Frames are encrypted, too. */
  readonly seal?: FrameSeal | undefined;
  /** Number of the block in the first range, -1 for the headers; those behind it follow. */
  readonly firstBlock: number;
}

/** What became of one range: its hash, and the bytes that its frame takes, 0 where it was known already. */
export interface EncodedRange {
  readonly sha256: string;
  readonly length: number;
}

export interface EncodeResult {
  readonly ranges: readonly EncodedRange[];
  /** Bytes that the frames take in the task's target. */
  readonly length: number;
}

/** Turns stored bytes back into blocks, checks each, and writes them into an open file. */
export interface DecodeTask {
  readonly kind: 'decode';
  /** Undefined where blocks are only checked. */
  readonly descriptor: number | undefined;
  readonly compression: Compression;
  readonly stored: Uint8Array;
  readonly frames: readonly DecodeFrame[];
  /** Frames are encrypted, too. */
  readonly seal?: FrameSeal | undefined;
}

export interface DecodeFrame {
  /** Block of the database file; -1 for its headers. */
  readonly block: number;
  /** Position of the frame within `stored`. */
  readonly start: number;
  readonly length: number;
  readonly sha256: string;
  /** Where the content belongs in the file. */
  readonly target: FileRange;
}

/** Frames that are not what the manifest says, as indices into the task's frames. */
export interface DecodeResult {
  readonly damaged: readonly { readonly index: number; readonly why: string }[];
}

/** Hashes ranges of an open file. */
export interface HashTask {
  readonly kind: 'hash';
  readonly descriptor: number;
  readonly ranges: readonly FileRange[];
}

export interface HashResult {
  /** Undefined where the file ends before the range does. */
  readonly sha256: readonly (string | undefined)[];
}

/** Looks for blocks in open files that may hold them, and writes those that are found into another one. */
export interface ReuseTask {
  readonly kind: 'reuse';
  /** Searched in this order, each at the place where the block belongs. A file that cannot be read holds nothing. */
  readonly sources: readonly number[];
  /** Undefined where blocks are only looked for. It may be one of the sources: what it holds already stays. */
  readonly target: number | undefined;
  readonly blocks: readonly WantedBlock[];
}

/** Where a block belongs in the file, and what it must be. */
export interface WantedBlock {
  readonly range: FileRange;
  readonly sha256: string;
}

export interface ReuseResult {
  /** For each block, whether it was found. */
  readonly found: readonly boolean[];
}

/** Hashes memory that is about to be sent. */
export interface DigestTask {
  readonly kind: 'digest';
  readonly bytes: SharedArrayBuffer;
  /** How many of the bytes count. */
  readonly length: number;
}

export interface DigestResult {
  /** In base64. */
  readonly md5: string;
  /** In hex. */
  readonly sha256: string;
}

export type BlockTask = EncodeTask | DecodeTask | HashTask | ReuseTask | DigestTask;
