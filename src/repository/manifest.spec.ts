import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { aManifest } from '../../test/support/manifests.js';
import { isEiderError } from '../errors/eider-error.js';
import { decodeManifest, encodeManifest } from './manifest.js';

const NAME = 'hesocial-backup-20260101-000000';
const manifest = aManifest(NAME);
const body = encodeManifest(manifest);

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return isEiderError(error) ? error.code : String(error);
  }
  return 'none';
};

describe('a manifest', () => {
  it('is read back as it was written', () => {
    expect(decodeManifest(NAME, body)).toEqual(manifest);
  });

  it('carries a checksum that stock tools can compute', () => {
    const { checksum, ...fields } = JSON.parse(body.toString()) as Record<string, unknown>;
    expect(createHash('sha256').update(JSON.stringify(fields)).digest('hex')).toBe(checksum);
  });

  it('is refused with any bit of its values flipped', () => {
    const bit = fc.record({ at: fc.nat(body.length - 1), mask: fc.constantFrom(1, 2, 4, 8, 16, 32, 64, 128) });
    fc.assert(
      fc.property(bit, ({ at, mask }) => {
        const flipped = Buffer.from(body);
        flipped[at] = (flipped[at] ?? 0) ^ mask;
        let decoded: unknown;
        try {
          decoded = decodeManifest(NAME, flipped);
        } catch (error) {
          return isEiderError(error);
        }
        // White space between the fields carries nothing: such a flip may pass, with the same content.
        expect(decoded).toEqual(manifest);
        return true;
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused when it was cut', () => {
    fc.assert(
      fc.property(fc.nat(body.length - 3), (length) => {
        expect(codeOf(() => decodeManifest(NAME, body.subarray(0, length)))).toBe('MANIFEST_CORRUPT');
      }),
    );
  });

  it('of a newer format is refused by name, not as damage', () => {
    const { checksum: _, ...fields } = JSON.parse(body.toString()) as Record<string, unknown>;
    const newer = { ...fields, format: 2, novelty: true };
    const checksum = createHash('sha256').update(JSON.stringify(newer)).digest('hex');
    const bytes = Buffer.from(JSON.stringify({ ...newer, checksum }));
    expect(codeOf(() => decodeManifest(NAME, bytes))).toBe('REPOSITORY_FORMAT_NEWER');
  });

  it('under another name is refused', () => {
    expect(codeOf(() => decodeManifest('hesocial-backup-20260101-000001', body))).toBe('MANIFEST_CORRUPT');
  });
});
