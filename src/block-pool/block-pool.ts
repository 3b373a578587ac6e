import { Injectable } from '../runtime/injection.js';
import { availableParallelism } from 'node:os';
import type { Piscina } from 'piscina';
import { compiledFile } from '../runtime/compiled-file.js';
import type {
  BlockTask,
  DecodeResult,
  DecodeTask,
  DigestResult,
  DigestTask,
  EncodeResult,
  EncodeTask,
  HashResult,
  HashTask,
  ReuseResult,
  ReuseTask,
} from './block-tasks.js';

/** More threads than this do not help: the store or the disk is the limit then, and each costs some 15 MB. */
const MOST_THREADS = 4;

/**
 * Worker threads that read, hash, compress, decompress and write blocks.
 *
 * DuckDB's binding runs its queries on libuv's pool of four threads and HTTP runs on the main thread; this work gets
 * threads of its own so that neither is starved. The threads end after some seconds without work.
 */
@Injectable()
export class BlockPool {
  readonly threads = Math.max(1, Math.min(MOST_THREADS, availableParallelism()));
  #pool: Promise<Piscina<BlockTask, unknown>> | undefined;

  /** Reads ranges of a file and stores each as one frame. Throws what reading throws. */
  encode(task: Omit<EncodeTask, 'kind'>): Promise<EncodeResult> {
    return this.#run({ kind: 'encode', ...task });
  }

  /** Turns frames back into blocks, checks them and writes those that are whole. The memory of `stored` may be handed over. */
  decode(task: Omit<DecodeTask, 'kind'>): Promise<DecodeResult> {
    const { buffer, byteLength } = task.stored;
    const whole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
    return this.#run({ kind: 'decode', ...task }, whole ? [buffer] : []);
  }

  /** Hashes ranges of a file. */
  hash(task: Omit<HashTask, 'kind'>): Promise<HashResult> {
    return this.#run({ kind: 'hash', ...task });
  }

  /** Looks for blocks in local files, and writes those that are found into another one. Throws what writing throws. */
  reuse(task: Omit<ReuseTask, 'kind'>): Promise<ReuseResult> {
    return this.#run({ kind: 'reuse', ...task });
  }

  /** Hashes memory that is about to be sent. */
  digest(task: Omit<DigestTask, 'kind'>): Promise<DigestResult> {
    return this.#run({ kind: 'digest', ...task });
  }

  /** Ends the threads. Idempotent; the next task would start new ones. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await (await pool)?.destroy();
  }

  async #run<T>(task: BlockTask, transferList: readonly ArrayBuffer[] = []): Promise<T> {
    this.#pool ??= this.#start();
    const pool = await this.#pool;
    // The worker is ours and answers each kind of task with its kind of result.
    return (await pool.run(task, { transferList: [...transferList] })) as T;
  }

  /** Many commands read no block: they do without the library, too. */
  async #start(): Promise<Piscina<BlockTask, unknown>> {
    const { Piscina } = await import('piscina');
    return new Piscina<BlockTask, unknown>({
      filename: compiledFile(import.meta.url, './block-worker.js'),
      minThreads: 0,
      maxThreads: this.threads,
      idleTimeout: 5_000,
      concurrentTasksPerWorker: 1,
      // By default a thread that is busy goes from task to task without returning to its event loop, and Node gives the
      // memory of native buffers (every block that is compressed or decompressed) back from there only: 2 GB piled up.
      atomics: 'disabled',
    });
  }
}
