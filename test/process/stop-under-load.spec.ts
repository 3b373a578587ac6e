import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Stage } from '../support/stage.js';
import { makeLoadDatabase, missingFrom, RegistrationLoad } from '../support/registrations.js';
import { environmentIn } from '../support/processes.js';

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.set();
  await makeLoadDatabase(stage.path);
});
afterEach(() => stage.clear());

describe.each(['SIGTERM', 'SIGINT'] as const)('a stop by %s under write load', (signal) => {
  it('ends with 0 and loses no acknowledged write, neither with the disk nor without it', async () => {
    const env = environmentIn(stage.path);
    const service = await stage.serve(env);
    const load = new RegistrationLoad(service);
    await load.reaches(60);
    expect(await service.stop(signal)).toBe(0);
    await load.ended;
    expect(load.acknowledged.length).toBeGreaterThanOrEqual(60);

    const sameDisk = await stage.serve(env);
    expect(await missingFrom(sameDisk, load.acknowledged)).toEqual([]);
    await sameDisk.kill();

    await stage.wipe();
    const newDisk = await stage.serve(env);
    expect(newDisk.output).toContain('restore (local-missing)');
    expect(await missingFrom(newDisk, load.acknowledged)).toEqual([]);
  });
});
