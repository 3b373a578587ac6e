const MIB = 1024 * 1024;
/** More does not make a check faster. */
const MOST = 1024 * MIB;
/** DuckDB reads a database of any size with this. */
const LEAST = 128 * MIB;
/** Part of what the container may use: the service itself needs the rest. */
const SHARE = 0.25;

/**
 * Memory for the process that checks a restored file, bytes: it runs beside the service, which must not be killed for it.
 *
 * @param constrained - what the container may use, as `process.constrainedMemory()` tells it: 0 or more than there is where
 *   nothing is constrained
 * @param total - what the machine has
 */
export function checkMemory(constrained: number, total: number): number {
  const available = constrained > 0 ? Math.min(constrained, total) : total;
  return Math.round(Math.min(MOST, Math.max(LEAST, available * SHARE)));
}
