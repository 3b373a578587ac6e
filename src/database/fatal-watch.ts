import { messageOf } from '../errors/eider-error.js';
import { isFatal } from './query-error.js';

/** Notices where DuckDB has given the whole database up, as it does when a checkpoint fails. */
export class FatalWatch {
  #error: Error | undefined;

  /** The first error that said so. */
  get error(): Error | undefined {
    return this.#error;
  }

  async over<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isFatal(error)) this.#error ??= new Error(messageOf(error));
      throw error;
    }
  }
}
