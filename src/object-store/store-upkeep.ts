import type { ObjectStore, RequestOptions } from './object-store.js';

/** What adapters leave behind when a process dies in the middle of a write, and how to be rid of it. */
export interface StoreUpkeep {
  /**
   * Discards unfinished uploads (multipart uploads of a bucket, temporary files of a folder) below the store's prefix.
   * Nothing that a listing shows is touched.
   *
   * @param olderThanMs - only those begun longer ago than this, so that a running upload is left alone
   * @returns how many were discarded; STORE_DENIED where the credentials may not
   */
  abortStaleUploads(olderThanMs: number, options?: RequestOptions): Promise<number>;
}

/** True for a store that can discard unfinished uploads. */
export function hasUpkeep(store: ObjectStore): store is ObjectStore & StoreUpkeep {
  return 'abortStaleUploads' in store && typeof store.abortStaleUploads === 'function';
}
