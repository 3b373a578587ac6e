import { readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../runtime/replace-file.js';
import { syncFolder } from '../runtime/sync-folder.js';
import { exists, filesOf } from './database-files.js';

const journalSchema = z.strictObject({
  format: z.literal(1),
  /** Name of the database that is put in place, before it is. */
  replacement: z.string(),
  /** Name that the database in use gets. */
  aside: z.string(),
  /** Which of the database's files there were, as indices into `filesOf`. */
  old: z.array(z.int().nonnegative()),
});
type Journal = z.infer<typeof journalSchema>;

const journalOf = (database: string): string => `${database}.eider-swap.json`;

/**
 * Puts one database in the place of another by renames alone, so that a kill at any line loses neither.
 *
 * A journal is written before the first rename. While it exists, the swap does not count: the next start takes it back
 * with `recoverSwap`. `commit` ends that.
 */
export class DatabaseSwap {
  private constructor(
    private readonly database: string,
    private readonly journal: Journal,
  ) {}

  /**
   * Renames the database in use to `aside` and the new one into its place. Neither may be open.
   *
   * When a rename fails, those before it are taken back and the error is passed on. Nothing is begun when the new database
   * is missing, since DuckDB would create an empty one in its place, or when something is at `aside`: a rename would
   * overwrite it.
   */
  static async begin(database: string, replacement: string, aside: string): Promise<DatabaseSwap> {
    if (!(await exists(replacement))) throw new Error(`${replacement} is not there to be put in place`);
    if ((await slotsOf(aside)).length > 0) throw new Error(`${aside} is there already and is not overwritten`);
    const present = await slotsOf(database);
    const swap = new DatabaseSwap(database, { format: 1, replacement, aside, old: present });
    await replaceFile(journalOf(database), JSON.stringify(swap.journal));
    try {
      for (const slot of present.toReversed()) await rename(at(database, slot), at(aside, slot));
      for (const slot of await slotsOf(replacement)) await rename(at(replacement, slot), at(database, slot));
      await syncFolder(dirname(database));
    } catch (error) {
      await swap.undo();
      throw error;
    }
    return swap;
  }

  /** From here on the new database is the one. */
  async commit(): Promise<void> {
    await rm(journalOf(this.database), { force: true });
    await syncFolder(dirname(this.database));
  }

  /** Puts the old database back and the new one where it came from. */
  async undo(): Promise<void> {
    await undo(this.database, this.journal);
    await this.commit();
  }
}

/**
 * Takes back a swap that a kill interrupted; true when there was one. Call it before the database is looked at.
 *
 * Throws when the journal cannot be read: it is renamed into place whole, so somebody else wrote there.
 */
export async function recoverSwap(database: string): Promise<boolean> {
  if (!(await exists(journalOf(database)))) return false;
  const text = await readFile(journalOf(database), 'utf8');
  await undo(database, journalSchema.parse(JSON.parse(text)));
  await rm(journalOf(database), { force: true });
  await syncFolder(dirname(database));
  return true;
}

/** Works from whatever point the swap, or an earlier undo, had reached. */
async function undo(database: string, { replacement, aside, old }: Journal): Promise<void> {
  for (const slot of filesOf(database).keys()) {
    const isOld = old.includes(slot);
    // A file of the old database that is not set aside has not been moved yet, or is back already.
    if (isOld && !(await exists(at(aside, slot)))) continue;
    // What is in place now belongs to the new database, such as a log that DuckDB made while it was open.
    if (await exists(at(database, slot))) await rename(at(database, slot), at(replacement, slot));
    if (isOld) await rename(at(aside, slot), at(database, slot));
  }
  await syncFolder(dirname(database));
}

function at(database: string, slot: number): string {
  const path = filesOf(database)[slot];
  if (path === undefined) throw new RangeError(`a database has no file ${slot}`);
  return path;
}

/** The files of a database that exist, the main file last. */
async function slotsOf(database: string): Promise<number[]> {
  const slots: number[] = [];
  for (const [slot, path] of filesOf(database).entries()) if (await exists(path)) slots.push(slot);
  return slots;
}
