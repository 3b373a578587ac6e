import { EiderError } from '../errors/eider-error.js';

/** A part of an object: the first byte and the byte after the last one. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Returns the range; throws STORE_FAILED unless both ends are safe whole numbers in order. */
export function checkRange(range: ByteRange): ByteRange {
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new EiderError('STORE_FAILED', `The byte range ${start} to ${end} is not valid.`);
  }
  return range;
}

/** The object ends before the range does: a truncated object, or a wrong entry in whatever named the range. */
export function rangeOutside(what: string, range: ByteRange, size?: number): EiderError {
  const has = size === undefined ? '' : `; it has ${size} bytes`;
  return new EiderError('STORE_CORRUPT', `${what} has no bytes ${range.start} to ${range.end}${has}.`);
}
