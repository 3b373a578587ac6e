import { setImmediate } from 'node:timers/promises';

/** Bytes that are copied, or handed to the socket, at once: copying, and encrypting for TLS, holds the main thread up meanwhile. */
export const SLICE = 256 * 1024;

/**
 * Lets commits and requests have the main thread before the next slice. Promises alone do not: where the chunks of a part are
 * there already and the socket takes what it is given, they go on without a turn of the event loop, for 8 ms and more.
 */
export async function betweenSlices(): Promise<void> {
  await setImmediate();
}
