import type { Frame } from './manifest.js';

/** Frames that are looked at together, so that those of one pack are found however they alternate: 64 MiB of the file. */
export const WINDOW_FRAMES = 256;
/**
 * Bytes of one read, as stored: 128 requests for each GiB, so that the way to the store and back counts little. Four of them are
 * under way at once, 32 MiB in all. Measured with a database of 492 MB on two cores, S3 on the same machine: eight of
 * 4 MiB took the same processor time and up to 80 MiB more memory, eight of 8 MiB and four of 16 MiB up to 50 and 160 MiB
 * more, none was faster.
 */
export const MOST_BYTES = 8 * 1024 * 1024;
/** Bytes of no use that are read rather than asked around: a request takes as long as some megabytes more. */
const MOST_GAP = 512 * 1024;

/** A range of a pack that is read in one request. */
export interface Segment<F extends Frame> {
  readonly pack: string;
  /** First byte, and the byte after the last one. */
  readonly start: number;
  readonly end: number;
  readonly frames: readonly F[];
}

/** The reads that fetch some frames: neighbours in a pack together. Pure. */
export function segmentsOf<F extends Frame>(frames: readonly F[]): Segment<F>[] {
  const packs = new Map<string, F[]>();
  for (const frame of frames) packs.set(frame.pack, [...(packs.get(frame.pack) ?? []), frame]);
  const segments: Segment<F>[] = [];
  for (const [pack, members] of packs) {
    let run: F[] = [];
    const end = (): number => Math.max(...run.map(({ offset, length }) => offset + length));
    const close = (): void => {
      const start = run[0]?.offset;
      if (start !== undefined) segments.push({ pack, start, end: end(), frames: run });
      run = [];
    };
    for (const frame of members.toSorted((a, b) => a.offset - b.offset)) {
      const start = run[0]?.offset;
      const fits = start !== undefined && frame.offset + frame.length - start <= MOST_BYTES;
      if (!fits || frame.offset - end() > MOST_GAP) close();
      run.push(frame);
    }
    close();
  }
  return segments;
}

/** Bytes of a read that belong to none of its frames. Pure. */
export function surplusOf({ start, end, frames }: Segment<Frame>): number {
  return end - start - frames.reduce((sum, { length }) => sum + length, 0);
}
