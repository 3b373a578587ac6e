import { availableParallelism } from 'node:os';

/** Options shared by every project: an ESM application compiled by SWC, on Node 20 to 26. */
const shared = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/data/', '<rootDir>/.cache/'],
};

/** Unit tests stand beside the code; the other projects have folders of their own. */
const project = (displayName, testMatch) => ({ ...shared, displayName, testMatch });

export default {
  projects: [
    project('unit', ['<rootDir>/src/**/*.spec.ts', '<rootDir>/test/unit/**/*.spec.ts']),
    project('integration', ['<rootDir>/test/integration/**/*.spec.ts']),
    project('process', ['<rootDir>/test/process/**/*.spec.ts']),
  ],
  testTimeout: 60_000,
  testSequencer: '<rootDir>/test/support/longest-first.mjs',
  // Much of a test is waiting for a disk or another process, so that three at once pay even on two cores.
  maxWorkers: Math.max(3, availableParallelism() - 1),
};
