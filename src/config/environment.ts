import { choice } from './variable.js';

/** The environments that Eider keeps apart. */
export const ENVIRONMENTS = ['development', 'production', 'test', 'staging'] as const;
export type EnvironmentName = (typeof ENVIRONMENTS)[number];

/** NODE_ENV: several concerns derive defaults from it. */
export const nodeEnv = choice<EnvironmentName>('development', ENVIRONMENTS, {
  about:
    'The environment. It is recorded in the repository, and a service of another environment refuses to write there.',
});
