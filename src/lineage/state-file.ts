import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { positionSchema } from '../repository/position.js';

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
  /** The newest backup in the repository that this history takes into account: its own last one, or the one restored past. */
  head: z.string().nullable(),
  /** Local position at which the content was that of the last own backup; null before the first. */
  saved: positionSchema.nullable(),
  /** True after another writer was seen: backups are forks from then on. */
  fork: z.boolean(),
});

/** What a database knows of its own history: `<database>.eider.json` beside it. */
export type LineageState = z.infer<typeof stateSchema>;

export const stateFileOf = (database: string): string => `${database}.eider.json`;

/** The state beside a database; undefined where it is missing or cannot be read, which is treated alike: it is rebuilt. */
export async function readState(database: string): Promise<LineageState | undefined> {
  let text: string;
  try {
    text = await readFile(stateFileOf(database), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
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
  const target = stateFileOf(database);
  const temporary = `${target}.tmp`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(`${JSON.stringify(stateSchema.parse(state), null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(target));
}

/** Makes renames in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
