import { describe, expect, it } from '@jest/globals';
import { hasRoomToFold, LEAST_FREE } from './disk-room.js';

describe('room for a checkpoint', () => {
  it.each([
    { free: LEAST_FREE, wal: 0, room: true },
    { free: LEAST_FREE - 1, wal: 0, room: false },
    { free: LEAST_FREE + 999, wal: 1_000, room: false },
    { free: LEAST_FREE + 1_000, wal: 1_000, room: true },
  ])('is what the log holds, and some more: %o', ({ free, wal, room }) => {
    expect(hasRoomToFold(free, wal)).toBe(room);
  });
});
