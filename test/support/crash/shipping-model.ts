import { z } from 'zod';
import { faultsOf, type Ledger, ledgerSchema } from './ledger.js';

const writer = z.enum(['n', 'm']);
type Writer = z.infer<typeof writer>;
const place = { iteration: z.int(), offset: z.int(), lineage: z.string(), t: z.int() };

/** A line of the shipper: see shipper.mjs. */
const lineSchema = z.union([
  z.object({ n: z.int(), ...place }),
  z.object({ m: z.int(), ...place }),
  z.object({ safe: z.int(), writer }),
  z.object({ open: z.string(), lineage: z.string(), found: ledgerSchema }),
  z.object({ aborted: z.string(), fatal: z.string().nullable() }),
  z.object({ refused: z.string() }),
  z.object({ at: z.enum(['ready', 'start', 'fold', 'folded']) }),
]);

/** An acknowledged commit, and where its writer found the end of the log just after it. */
export interface AcknowledgedPoint {
  readonly writer: Writer;
  readonly number: number;
  readonly lineage: string;
  readonly iteration: number;
  readonly offset: number;
  /** When it was acknowledged, ms since 1970. */
  readonly t: number;
}

/** What the history must be, by what the shippers said before they were killed. */
export class ShippingModel {
  /** Of each writer the round in which each commit was made, from number 1 on. */
  readonly #rounds: Record<Writer, number[]> = { n: [], m: [] };
  readonly #safe: Record<Writer, number> = { n: 0, m: 0 };
  #points: AcknowledgedPoint[] = [];
  #safePoints: AcknowledgedPoint[] = [];
  #lineage: string | undefined;
  #round = 0;
  /** Set by a kill: what the next start must find. */
  #killed: { readonly at: number; readonly isLost: boolean } | undefined;
  /** How much acknowledged time was lost with each disk, ms. */
  readonly rpo: number[] = [];
  readonly figures = { commits: 0, folds: 0, lineages: 0, aborted: 0 };

  /** Points that can be restored: what was said to be in the store. */
  get points(): readonly AcknowledgedPoint[] {
    return this.#safePoints;
  }

  killed(at: number, isLost: boolean): void {
    // A process that was killed before it had opened the database leaves what the one before left.
    const before = this.#killed;
    this.#killed = { at: before?.at ?? at, isLost: isLost || before?.isLost === true };
  }

  /** Takes in what one process said; returns what it shows to be wrong. */
  read(output: string, round: number): string[] {
    this.#round = round;
    const wrong: string[] = [];
    // The last line may be cut by the kill.
    for (const text of output.slice(0, output.lastIndexOf('\n') + 1).split('\n')) {
      if (text === '') continue;
      const line = lineSchema.parse(JSON.parse(text));
      if ('open' in line) wrong.push(...this.#opened(line.found, line.lineage));
      else if ('n' in line) this.#acknowledge({ writer: 'n', number: line.n, ...line });
      else if ('m' in line) this.#acknowledge({ writer: 'm', number: line.m, ...line });
      else if ('safe' in line) this.#arrived(line.writer, line.safe);
      else if ('aborted' in line) {
        this.figures.aborted++;
        if (line.fatal === null) wrong.push(`the database does not say that it has given up after: ${line.aborted}`);
      } else if ('refused' in line) wrong.push('a writer that nobody replaced refuses writes');
      else if (line.at === 'folded') this.figures.folds++;
    }
    return wrong;
  }

  /** What is wrong with a ledger that was restored to a point. */
  faultsAt(point: AcknowledgedPoint, found: Ledger): string[] {
    const number = numberOf(found, point.writer);
    const faults = number === point.number ? [] : [`it ends at ${point.writer} ${number}`];
    return [...faults, ...faultsOf(found), ...this.#foreign(found)];
  }

  /** What is wrong with a ledger that was restored to a time: nothing may be in it that was begun later. */
  faultsBy(time: number, found: Ledger): string[] {
    const late = this.#points.filter(({ writer: who, number, t }) => t > time && number < numberOf(found, who));
    return [
      ...late.map((point) => `it holds ${point.writer} ${point.number}`),
      ...faultsOf(found),
      ...this.#foreign(found),
    ];
  }

  #acknowledge(point: AcknowledgedPoint): void {
    this.figures.commits++;
    this.#rounds[point.writer][point.number - 1] = this.#round;
    this.#points.push(point);
  }

  #arrived(who: Writer, number: number): void {
    this.#safe[who] = Math.max(this.#safe[who], number);
    const point = this.#points.findLast((each) => each.writer === who && each.number === number);
    if (point !== undefined) this.#safePoints.push(point);
  }

  #opened(found: Ledger, lineage: string): string[] {
    if (this.#lineage !== undefined && lineage !== this.#lineage) this.figures.lineages++;
    this.#lineage = lineage;
    const wrong = [...faultsOf(found), ...this.#foreign(found)];
    const killed = this.#killed;
    this.#killed = undefined;
    if (killed === undefined) return wrong;
    for (const who of ['n', 'm'] as const) {
      const must = killed.isLost ? this.#safe[who] : this.#rounds[who].length;
      const there = numberOf(found, who);
      if (there < must)
        wrong.push(`${who} ${there + 1} to ${must} are lost${killed.isLost ? ' although shipped' : ''}`);
      // One more may have been committed without an answer.
      if (there > this.#rounds[who].length + 1) wrong.push(`${who} ${there} was never written`);
    }
    if (killed.isLost) this.rpo.push(this.#lostTime(found, killed.at));
    this.#goOnFrom(found);
    return wrong;
  }

  /** From the first commit that was acknowledged and is lost to the kill, ms. */
  #lostTime(found: Ledger, at: number): number {
    const lost = this.#points.filter((point) => point.number > numberOf(found, point.writer));
    return lost.reduce((most, { t }) => Math.max(most, at - t), 0);
  }

  /** What is not there is no history any more: its numbers come again. */
  #goOnFrom(found: Ledger): void {
    const isThere = (point: AcknowledgedPoint): boolean => point.number <= numberOf(found, point.writer);
    for (const who of ['n', 'm'] as const) {
      const rounds = roundsOf(who === 'n' ? found.small : found.bulk) ?? [];
      this.#rounds[who] = rounds;
      this.#safe[who] = Math.min(this.#safe[who], rounds.length);
    }
    this.#points = this.#points.filter(isThere);
    this.#safePoints = this.#safePoints.filter(isThere);
  }

  /** What a ledger holds that was not written so: a hole, or a commit of another round. */
  #foreign(found: Ledger): string[] {
    const wrong: string[] = [];
    for (const who of ['n', 'm'] as const) {
      const text = who === 'n' ? found.small : found.bulk;
      const rounds = roundsOf(text);
      if (rounds === undefined) wrong.push(`commits of ${who} are missing in between: ${text}`);
      const other = rounds?.findIndex((round, index) => (this.#rounds[who][index] ?? round) !== round) ?? -1;
      if (other >= 0) wrong.push(`${who} ${other + 1} is of round ${rounds?.[other]}, not ${this.#rounds[who][other]}`);
    }
    return wrong;
  }
}

function numberOf(found: Ledger, who: Writer): number {
  return who === 'n' ? found.last_n : found.last_m;
}

/** The round of each commit from number 1 on; undefined where there is a hole. */
function roundsOf(text: string): number[] | undefined {
  const rounds: number[] = [];
  for (const part of text.split(' ').filter((each) => each !== '')) {
    const [round = 0, low = 0, high = 0, count = 0] = part.split(/[:/-]/).map(Number);
    if (low !== rounds.length + 1 || high - low + 1 !== count) return undefined;
    for (let number = low; number <= high; number++) rounds.push(round);
  }
  return rounds;
}
