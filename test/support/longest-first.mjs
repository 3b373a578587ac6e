import TestSequencer from '@jest/test-sequencer';

/**
 * Suites of many rounds or of a fault at every request, in the order in which they are begun, before all others. A machine on which
 * they never ran knows nothing of how long they take: Jest goes by the size of the file then, and one that takes minutes
 * would be begun last and be waited for.
 */
const LONG = [
  'process/shipping-crash',
  'process/crash',
  'process/stop',
  'integration/repository/any-history',
  'integration/replication/two-writers',
  'process/stopped-writer',
  'integration/replication/concurrent-writers',
  'integration/replication/store-faults',
  'integration/backup/store-faults',
  'integration/restore/store-faults',
  'integration/repository/retention-faults',
  'integration/repository/many-backups',
];

/** Begins the longest suites first. */
export default class LongestFirst extends TestSequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const at = LONG.findIndex((name) => path.endsWith(`/test/${name}.spec.ts`));
      return at === -1 ? LONG.length : at;
    };
    return super.sort(tests).toSorted((a, b) => rank(a) - rank(b));
  }
}
