import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { stateFileOf } from '../database/database-files.js';
import { isMissing } from '../errors/system-error.js';
import { positionSchema } from '../repository/position.js';
import { replaceFile } from '../runtime/replace-file.js';

const stateSchema = z.strictObject({
  format: z.literal(1),
  /** Identity of the database file that this state belongs to; the file may have been exchanged by hand. */
  identifier: z.string().regex(/^[0-9a-f]{32}$/),
  lineage: z.uuid(),
  /** Where this lineage left its parent; null for the first one. */
  lineageParent: positionSchema.nullable(),
  /** Number of the writer's turn, and the writer itself: a new UUID each time the database is opened. */
  epoch: z.int().nonnegative(),
  writer: z.uuid(),
  /** Last log record written; 0 while nothing is shipped continuously. */
  log: z.int().nonnegative(),
  /** The log record with which the last turn of this history began; absent where nothing was ever shipped. */
  turn: z.int().positive().optional(),
  /** The newest backup in the repository that this history takes into account: its own last one, or the one restored past. */
  head: z.string().nullable(),
  /**
   * The backup whose manifest was about to be written. A crash, or an answer that is lost for good, can leave it committed
   * without `head` saying so; without this name the next backup would take it for one of another process.
   */
  committing: z.string().optional(),
  /** Local position at which a restore of the newest commit in the store ended: until the next commit nothing is missing there. */
  restored: z.strictObject({ iteration: z.int().nonnegative(), offset: z.int().nonnegative() }).optional(),
  /** Local position at which the content was that of the last own backup; null before the first. */
  saved: positionSchema.nullable(),
  /** True after another writer was seen: backups are forks from then on. */
  fork: z.boolean(),
});

/** What a database knows of its own history: `<database>.eider.json` beside it. */
export type LineageState = z.infer<typeof stateSchema>;

/** The state beside a database; undefined where it is missing or cannot be read, which is treated alike: it is rebuilt. */
export async function readState(database: string): Promise<LineageState | undefined> {
  let text: string;
  try {
    text = await readFile(stateFileOf(database), 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Replaces the state in one step: a kill leaves the old one or the new one. */
export async function writeState(database: string, state: LineageState): Promise<void> {
  await replaceFile(stateFileOf(database), `${JSON.stringify(stateSchema.parse(state), null, 2)}\n`);
}
