import { z } from 'zod';

const contents = { writer: z.string(), commits: z.array(z.int()), halves: z.int() };

/** A line of the writer: see writer.mjs. */
const lineSchema = z.union([
  z.object({ ack: z.int(), writer: z.string() }),
  z.object({ at: z.enum(['ready', 'start', 'backup', 'shutdown']) }),
  z.object({ at: z.literal('restore'), name: z.string() }),
  z.object({ step: z.string() }),
  z.object({ open: z.string(), backup: z.string().nullable(), ...contents }),
  z.object({ backup: z.string(), ms: z.number() }),
  z.object({ restored: z.string(), ms: z.number(), ...contents }),
  z.object({ closed: z.boolean(), ms: z.number() }),
]);
type Line = z.infer<typeof lineSchema>;

/** Commits that must be there: what an era began with, and what was acknowledged in it. */
type Commits = ReadonlySet<number>;

const missing = (must: Commits, found: Commits): number[] => [...must].filter((n) => !found.has(n));

/**
 * What the database and each backup must hold, by what a writer said before it was killed.
 *
 * An era is the time between two moments at which the database was opened; its name is the UUID of the writer in the state
 * file, which also stands in the manifests of its backups. A restore begins an era with other content.
 */
export class CrashModel {
  /** Content of the database in use; undefined before the first one. */
  #current: Set<number> | undefined;
  /** A restore that was under way when the process was killed. */
  #restoring: string | undefined;
  /** What each backup must hold, by its name. */
  readonly #backups = new Map<string, Commits>();
  /** What was there when an era began. */
  readonly #eras = new Map<string, Commits>();
  readonly figures = { commits: 0, backups: 0, restores: 0, startRestores: 0, cleanStops: 0 };
  /** How long each kind of work took last, ms. */
  readonly durations: Record<'backup' | 'restore' | 'shutdown', number> = { backup: 80, restore: 400, shutdown: 200 };

  /** The disk is gone: the next start begins with the newest backup. */
  wiped(): void {
    this.#current = undefined;
    this.#restoring = undefined;
  }

  /** Takes in what one process said; returns what it shows to be wrong. */
  read(output: string): string[] {
    const wrong: string[] = [];
    let backingUp: Commits = new Set();
    // The last line may be cut by the kill.
    for (const text of output.slice(0, output.lastIndexOf('\n') + 1).split('\n')) {
      if (text === '') continue;
      const line = lineSchema.parse(JSON.parse(text));
      if ('at' in line && line.at === 'backup') backingUp = new Set(this.#current);
      wrong.push(...this.#take(line, backingUp));
    }
    // Killed before its end, it takes longer than was thought: the next kill may come later.
    if (this.#restoring !== undefined) this.durations.restore *= 1.2;
    return wrong;
  }

  /** What a backup lacks that it must hold. Backups of a process that was killed before it named them go by their era. */
  lackedBy(backup: { readonly name: string; readonly writer: string }, found: Commits): number[] {
    return missing(this.#backups.get(backup.name) ?? this.#eras.get(backup.writer) ?? new Set(), found);
  }

  #take(line: Line, backingUp: Commits): string[] {
    if ('ack' in line) this.#acknowledge(line.ack, line.writer);
    else if ('open' in line) return this.#opened(line);
    else if ('restored' in line) return this.#restored(line);
    else if ('closed' in line) {
      this.figures.cleanStops++;
      this.durations.shutdown = line.ms;
      return line.closed ? [] : ['a shutdown did not save everything'];
    } else if ('backup' in line) {
      this.figures.backups++;
      this.durations.backup = line.ms;
      this.#backups.set(line.backup, backingUp);
    } else if ('at' in line && line.at === 'restore') this.#restoring = line.name;
    return [];
  }

  #acknowledge(n: number, writer: string): void {
    this.figures.commits++;
    // Acknowledged after the database was exchanged, and before the restore has said that it is done.
    if (!this.#eras.has(writer)) this.#begin(writer, new Set(this.#backups.get(this.#restoring ?? '')));
    this.#current?.add(n);
  }

  #opened({ open, backup, writer, commits, halves }: Extract<Line, { open: string }>): string[] {
    const found = new Set(commits);
    const wrong = halves === 0 ? [] : [`${halves} transactions are there by half after ${open}`];
    if (backup !== null) this.figures.startRestores++;
    const lost = this.#lostAt(backup, found);
    if (lost.length > 0) wrong.push(`after ${open} ${lost.length} commits are missing, such as ${String(lost[0])}`);
    this.#begin(writer, found);
    return wrong;
  }

  /** What is missing at a start: of what was in use, or of the backup that a restore had just put in its place. */
  #lostAt(backup: string | null, found: Commits): number[] {
    const must = this.#current ?? this.#backups.get(backup ?? '') ?? new Set<number>();
    const lost = missing(must, found);
    if (lost.length === 0 || this.#restoring === undefined) return lost;
    return missing(this.#backups.get(this.#restoring) ?? new Set(), found);
  }

  #restored({ restored, ms, writer, commits, halves }: Extract<Line, { restored: string }>): string[] {
    const found = new Set(commits);
    this.figures.restores++;
    this.durations.restore = ms;
    const wrong = halves === 0 ? [] : [`${halves} transactions are there by half after restoring ${restored}`];
    const lost = missing(this.#backups.get(restored) ?? new Set(), found);
    if (lost.length > 0) wrong.push(`${restored} lacks ${lost.length} commits, such as ${String(lost[0])}`);
    const since = this.#eras.has(writer) ? this.#current : undefined;
    this.#begin(writer, new Set([...found, ...(since ?? [])]));
    return wrong;
  }

  #begin(writer: string, found: Set<number>): void {
    this.#restoring = undefined;
    this.#eras.set(writer, new Set(found));
    this.#current = new Set(found);
  }
}
