import { describe, expect, it } from '@jest/globals';
import { checkMemory } from './check-memory.js';

const MIB = 1024 * 1024;

describe('the memory of a check', () => {
  it.each([
    ['a quarter of the container', 2_048, 64_000, 512],
    ['not more than is of use', 16_000, 64_000, 1_024],
    ['enough to work in a small container', 256, 64_000, 128],
    ['that of the machine where nothing is constrained', 2 ** 64 / MIB, 2_048, 512],
    ['that of the machine where it is not known', 0, 2_048, 512],
  ])('is %s', (_, constrained, total, expected) => {
    expect(checkMemory(constrained * MIB, total * MIB)).toBe(expected * MIB);
  });
});
