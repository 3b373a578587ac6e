import { expect, it } from '@jest/globals';
import { mostEncoded } from './codec.js';
import { FrameMemory } from './frame-memory.js';

it('memory that is given back is used again', () => {
  const memory = new FrameMemory({ count: 16, size: 1000 });
  const first = memory.take();
  memory.give(first);
  expect(memory.take()).toBe(first);
});

it('memory that is still in use is given to nobody else', () => {
  const memory = new FrameMemory({ count: 16, size: 1000 });
  expect(memory.take()).not.toBe(memory.take());
});

it('holds every frame of the largest task, however little it compresses', () => {
  const memory = new FrameMemory({ count: 16, size: 1000 });
  expect(memory.take().byteLength).toBeGreaterThanOrEqual(16 * mostEncoded(1000));
});
