import { EiderError } from '../errors/eider-error.js';
import { authConcern } from './auth.config.js';
import { backupConcern } from './backup.config.js';
import { type ConfigurationProblem, type Environment, InvalidVariables } from './concern.js';
import { databaseConcern } from './database.config.js';
import { encryptionConcern } from './encryption.config.js';
import { replicationConcern } from './replication.config.js';
import { restoreConcern } from './restore.config.js';
import { serviceConcern } from './service.config.js';
import { storeConcern } from './store.config.js';

/** Every concern, in the order of docs/configuration.md. */
export const CONCERNS = [
  serviceConcern,
  databaseConcern,
  storeConcern,
  backupConcern,
  encryptionConcern,
  replicationConcern,
  restoreConcern,
  authConcern,
] as const;

/**
 * Checks the whole environment at once.
 *
 * @throws EiderError CONFIGURATION_INVALID whose message has one line per problem, each beginning with the variable
 */
export function checkConfiguration(env: Environment): void {
  const problems: ConfigurationProblem[] = [];
  for (const concern of CONCERNS) {
    try {
      concern.parse(env);
    } catch (error) {
      if (!(error instanceof InvalidVariables)) throw error;
      problems.push(...error.problems);
    }
  }
  const lines = new Set(problems.map(({ variable, message }) => `${variable}: ${message}`));
  if (lines.size > 0) throw new EiderError('CONFIGURATION_INVALID', [...lines].join('\n'));
}
