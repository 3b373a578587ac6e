import { describe, expect, it } from '@jest/globals';
import { isEiderError } from '../errors/eider-error.js';
import { WriteGate } from './write-gate.js';

/** Longer than any test: what waits for it would fail the test. */
const FOREVER_MS = 1_000_000;

describe('the write gate', () => {
  it('lets writes through while nobody holds it closed, and counts them', async () => {
    const gate = new WriteGate();
    const leave = await Promise.all([gate.enter(), gate.enter()]);
    expect(gate).toMatchObject({ isOpen: true, reason: undefined, inFlight: 2 });
    leave.forEach((done) => done());
    expect(gate.inFlight).toBe(0);
  });

  it('counts a write out once, however often it leaves', async () => {
    const gate = new WriteGate();
    const [first] = await Promise.all([gate.enter(), gate.enter()]);
    first();
    first();
    expect(gate.inFlight).toBe(1);
  });

  it('refuses writes while it is closed, tells why and when to come again', async () => {
    const gate = new WriteGate();
    await gate.close('a restore is running');
    const refusal: unknown = await gate.enter().catch((error: unknown) => error);
    expect(isEiderError(refusal, 'DATABASE_READ_ONLY')).toBe(true);
    expect(refusal).toMatchObject({
      message: 'Writes are paused: a restore is running.',
      retryAfterSeconds: 5,
      status: 503,
    });
    expect(gate.inFlight).toBe(0);
  });

  it('stays closed until everyone who closed it has opened it', async () => {
    const gate = new WriteGate();
    await gate.close('restore');
    await gate.close('shutdown');
    await gate.close('shutdown');
    gate.open('restore');
    expect(gate).toMatchObject({ isOpen: false, reason: 'shutdown' });
    gate.open('something else');
    expect(gate.isOpen).toBe(false);
    gate.open('shutdown');
    expect(gate.isOpen).toBe(true);
  });

  it('refuses new writes at once and waits for those under way', async () => {
    const gate = new WriteGate();
    const [one, two] = await Promise.all([gate.enter(), gate.enter()]);
    const closing = gate.close('restore', { drainMs: FOREVER_MS });
    await expect(gate.enter()).rejects.toThrow('Writes are paused');
    one();
    two();
    expect(await closing).toEqual({ drained: true, inFlight: 0 });
  });

  it('does not wait longer than it was told, and tells what is left', async () => {
    const gate = new WriteGate();
    const leave = await gate.enter();
    expect(await gate.close('restore')).toEqual({ drained: false, inFlight: 1 });
    expect(await gate.close('restore', { drainMs: 1 })).toEqual({ drained: false, inFlight: 1 });
    leave();
    expect(await gate.close('restore')).toEqual({ drained: true, inFlight: 0 });
  });

  it('wakes everyone who waits for the last write', async () => {
    const gate = new WriteGate();
    const leave = await gate.enter();
    const waiting = [gate.drain(FOREVER_MS), gate.drain(FOREVER_MS), gate.close('shutdown', { drainMs: FOREVER_MS })];
    leave();
    await Promise.all(waiting);
    expect(gate.inFlight).toBe(0);
  });

  it('waits for nothing where no write is under way', async () => {
    const gate = new WriteGate();
    await gate.drain(FOREVER_MS);
    expect(await gate.close('restore', { drainMs: FOREVER_MS })).toEqual({ drained: true, inFlight: 0 });
  });

  it('lets whoever closed it in, and counts that', async () => {
    const gate = new WriteGate();
    await gate.close('migration');
    const leave = await gate.enter({ whileClosed: true });
    expect(gate.inFlight).toBe(1);
    leave();
  });

  it('makes writes wait for exclusive work, and lets them in afterwards', async () => {
    const gate = new WriteGate();
    const leave = await gate.enter();
    const excluding = gate.exclude(FOREVER_MS);
    const entered: string[] = [];
    const waiting = [
      gate.enter().then(() => entered.push('write')),
      gate.enter({ whileClosed: true }).then(() => entered.push('migration')),
    ];
    leave();
    const letIn = await excluding;
    expect(gate.inFlight).toBe(0);
    expect(entered).toEqual([]);
    letIn?.();
    letIn?.();
    await Promise.all(waiting);
    expect(gate.inFlight).toBe(2);
  });

  it('makes nobody wait any longer for exclusive work that could not begin', async () => {
    const gate = new WriteGate();
    await gate.enter();
    const excluding = gate.exclude(1);
    const waiting = gate.enter();
    expect(await excluding).toBeUndefined();
    await waiting;
    await gate.enter();
    expect(gate.inFlight).toBe(3);
  });

  it('refuses those who wait for exclusive work when it is closed, and lets go those who give up', async () => {
    const gate = new WriteGate();
    const letIn = await gate.exclude(0);
    const stop = new AbortController();
    const givenUp = expect(gate.enter({ signal: stop.signal })).rejects.toThrow('enough');
    stop.abort(new Error('enough'));
    await givenUp;
    const refused = expect(gate.enter()).rejects.toMatchObject({ code: 'DATABASE_READ_ONLY' });
    await gate.close('shutdown', { drainMs: FOREVER_MS });
    await refused;
    letIn?.();
    expect(gate.inFlight).toBe(0);
  });
});
