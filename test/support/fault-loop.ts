import type { Faults } from './s3/faults.js';
import type { S3Double } from './s3/s3-double.js';

/** Whether each request fails in every way, rather than in one. */
export const IN_EVERY_WAY = process.env['CI'] === 'true';

/** Ways in which a store fails at its n-th request. */
const MODES: Readonly<Record<string, (faults: Faults, nth: number) => void>> = {
  'is refused': (faults, nth) => faults.add({ kind: 'status', status: 403 }, {}, { nth }),
  'loses its connection once': (faults, nth) => faults.add({ kind: 'reset' }, {}, { nth }),
  'loses its answer once': (faults, nth) => faults.add({ kind: 'lose-answer' }, {}, { nth }),
  'is the last that works': (faults, nth) => faults.add({ kind: 'reset' }, {}, { nth: nth + 1, times: Infinity }),
  'is the first of those whose answers are lost': (faults, nth) =>
    faults.add({ kind: 'lose-answer' }, {}, { nth, times: Infinity }),
};

/**
 * Lets each request of a piece of work fail in turn: in continuous integration in every way, elsewhere in one after the
 * other.
 *
 * @param clean - the work, once without faults: its requests are counted
 * @param round - the work with a fault to come; it calls `mend` before it looks at what is left
 * @returns how many faults were tried
 */
export async function failEachRequest(
  s3: S3Double,
  clean: () => Promise<void>,
  round: (mend: () => void) => Promise<void>,
): Promise<number> {
  const before = s3.count();
  await clean();
  const requests = s3.count() - before;
  const modes = Object.entries(MODES);
  let faults = 0;
  for (const [index, [mode, arrange]] of modes.entries()) {
    for (let nth = 1; nth <= requests; nth++) {
      if (!IN_EVERY_WAY && nth % modes.length !== index) continue;
      arrange(s3.faults, nth);
      try {
        await round(() => s3.faults.clear());
      } catch (error) {
        throw new Error(`when request ${nth} of ${requests} ${mode}`, { cause: error });
      }
      s3.faults.clear();
      faults++;
    }
  }
  return faults;
}

/** Writes a figure of a test into its output. */
export function report(text: string): void {
  process.stdout.write(`${text}\n`);
}
