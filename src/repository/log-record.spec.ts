import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { aWalHead } from '../../test/support/log-heads.js';
import { decodeLogRecord, encodeLogRecord, type LogHead } from './log-record.js';

const payload = Buffer.from('the bytes of commits');

describe('a record of the log', () => {
  it('gives back its head and payload', () => {
    const head = aWalHead({ number: 7 });
    const record = decodeLogRecord(7, encodeLogRecord(head, payload));
    expect(record.head).toEqual(head);
    expect(record.payload.equals(payload)).toBe(true);
  });

  it('can be without a payload', () => {
    const { format, number, nonce, writer, epoch, lineage, at } = aWalHead({ number: 1 });
    const position = { lineage, iteration: 3, offset: 40 };
    const head: LogHead = { format, number, nonce, writer, epoch, lineage, at, kind: 'close', position };
    expect(decodeLogRecord(1, encodeLogRecord(head))).toEqual({ head, payload: Buffer.alloc(0) });
  });

  it('is refused wherever a bit of its head was flipped, and names itself', () => {
    const bytes = encodeLogRecord(aWalHead({ number: 7 }), payload);
    const end = bytes.length - payload.length;
    for (let bit = 0; bit < end * 8; bit += 3) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeLogRecord(7, flipped)).toThrow(expect.objectContaining({ code: 'LOG_RECORD_CORRUPT' }));
    }
  });

  it('is refused wherever its head was cut', () => {
    const bytes = encodeLogRecord(aWalHead({ number: 7 }), payload);
    for (let length = 0; length < bytes.length - payload.length; length += 7) {
      expect(() => decodeLogRecord(7, bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'LOG_RECORD_CORRUPT', details: { record: 7 } }),
      );
    }
  });

  it('is refused under another number', () => {
    const bytes = encodeLogRecord(aWalHead({ number: 7 }));
    expect(() => decodeLogRecord(8, bytes)).toThrow('says that it is record 7');
  });

  it('is not written where it makes no sense', () => {
    expect(() => encodeLogRecord(aWalHead({ number: 0 }))).toThrow();
    expect(() => encodeLogRecord({ ...aWalHead(), nonce: 'x' })).toThrow();
    expect(() => encodeLogRecord({ ...aWalHead(), more: randomUUID() } as LogHead)).toThrow();
  });
});
