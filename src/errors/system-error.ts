/**
 * The `code` of a system error such as ENOENT, or undefined.
 *
 * Told by its shape: an error of Node's own is no instance of the `Error` of another realm, such as a test runner's.
 */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** True where a file or folder is not there. */
export function isMissing(error: unknown): boolean {
  return systemCode(error) === 'ENOENT';
}
